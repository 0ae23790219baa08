"""The evaluation of the report in a real browser: what is drawn and computed there, against the numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from components.contracts import predictions
from components.contracts.evaluation import Evaluation
from components.contracts.predictions import Predictions
from components.report import confusion, curves
from components.report import predictions as report_predictions
from components.report.run import Run
from tests.browser.conftest import press, show, violations

pytestmark = pytest.mark.slow

MANY = [f"kind {i:02d}" for i in range(50)]
FEW = ["cat", "dog", "<i>bird</i>", "猫"]


class Built(NamedTuple):
    path: Path
    run: Run
    answers: Predictions

    @property
    def measured(self) -> Evaluation:
        assert self.run.evaluation is not None
        return self.run.evaluation


def built(root: Path, names: Sequence[str]) -> Built:
    from components.report.build import build
    from tests.report import factories

    run = factories.uncertain(root, names)
    build(run, root / "report.html")
    answers = predictions.read(run.artifacts["predictions"])
    assert answers is not None
    return Built(root / "report.html", run, answers)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("few"), FEW)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("many"), MANY)


def set_value(browser: Any, selector: str, value: object) -> None:
    browser.execute_script(
        "const input = document.querySelector(arguments[0]); input.value = arguments[1];"
        "input.dispatchEvent(new Event('input')); input.dispatchEvent(new Event('change'))",
        selector,
        str(value),
    )


def values(browser: Any, selector: str) -> list[float]:
    """The exact values of the <data> elements; NaN for a dash."""
    found = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((one) => one.getAttribute('value'))", selector
    )
    return [float(value) if value else float("nan") for value in found]


def boxes(browser: Any, selector: str) -> list[dict[str, float]]:
    return list(
        browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => { const { left, right, top, bottom } ="
            "one.getBoundingClientRect(); return { left, right, top, bottom, x: (left + right) / 2, y: (top + bottom)"
            "/ 2, width: right - left } })",
            selector,
        )
    )


# ----------------------------------------------------------------------------------------------------------- threshold
@pytest.mark.parametrize("step", [0, 50, 100, 141, 180, 200])
def test_the_slider_counts_what_numpy_counts(chromium: Any, many: Built, step: int) -> None:
    show(chromium, many.path, 1280)
    set_value(chromium, "#threshold", step)
    answers = many.answers
    kept = answers.confidence >= np.float32(step / 200)
    with np.errstate(invalid="ignore"):
        wanted = [kept.mean(), answers.right[kept].sum() / np.float64(kept.sum()), (answers.right & kept).mean()]
    assert values(chromium, "#threshold-overall data") == pytest.approx(wanted, nan_ok=True)
    by_class = np.reshape(values(chromium, "#threshold-classes td:nth-child(n+3) data"), (-1, 3))
    for i, row in enumerate(by_class):
        own, said = answers.label == i, (answers.predicted == i) & kept
        precision = answers.right[said].mean() if said.any() else float("nan")
        assert row.tolist() == pytest.approx(
            [kept[own].mean(), precision, (answers.right & kept)[own].mean()], nan_ok=True
        )
    assert chromium.find_element(By.ID, "threshold-value").text == f"{step / 200:.1%}"


def test_the_page_has_the_same_numbers_without_its_script(chromium: Any, few: Built) -> None:
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(chromium, few.path)
        before = [
            one.text for one in chromium.find_elements(By.CSS_SELECTOR, "#confidence ~ .beside .n, #threshold-value")
        ]
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    show(chromium, few.path)
    after = [one.text for one in chromium.find_elements(By.CSS_SELECTOR, "#confidence ~ .beside .n, #threshold-value")]
    assert [text.removesuffix(" ↕") for text in after] == before
    assert "50.0%" in before


def test_the_slider_works_by_keyboard(chromium: Any, few: Built) -> None:
    show(chromium, few.path)
    slider = chromium.find_element(By.ID, "threshold")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert slider.get_attribute("aria-valuetext") == "50.5%"
    slider.send_keys(Keys.HOME)
    assert values(chromium, "#threshold-overall data")[0] == 1.0


# --------------------------------------------------------------------------------------------------------------- tables
def test_a_click_on_a_column_sorts_and_the_third_restores(chromium: Any, many: Built) -> None:
    show(chromium, many.path, 1280)
    recalls = '[data-of="class.recall"]'
    table = '#per-class ~ .scroll [data-of="class.f1"]'
    first, scores = values(chromium, recalls), values(chromium, table)
    head = chromium.find_elements(By.CSS_SELECTOR, "#per-class ~ .scroll th button.sort")[4]
    assert head.text.startswith("F1")
    press(chromium, head)
    assert values(chromium, table) == sorted(scores)
    head.send_keys(Keys.ENTER)
    assert values(chromium, table) == sorted(scores, reverse=True)
    column = head.find_element(By.XPATH, "..")
    assert column.get_attribute("aria-sort") == "descending"
    head.send_keys(Keys.SPACE)
    assert values(chromium, recalls) == first
    assert column.get_attribute("aria-sort") is None
    last = chromium.find_elements(By.CSS_SELECTOR, "#per-class ~ .scroll tfoot th")
    assert [one.text for one in last] == ["macro average", "weighted average"]


TABLE = """
<div class="scroll"><table>
<thead><tr><th scope="col">name</th><th scope="col">value</th><th scope="col">change</th></tr></thead>
<tbody><tr><th scope="row">run 10</th><td>1,200 s</td><td>-1.5</td></tr>
<tr><th scope="row">run 9</th><td>–</td><td>the same</td></tr>
<tr><th scope="row">2026-1</th><td>30 s</td><td>+2</td></tr></tbody></table></div>
"""


def test_numbers_sort_as_numbers_and_names_as_names(chromium: Any, few: Built, tmp_path: Path) -> None:
    page = few.path.read_text(encoding="utf-8")
    start = page.index("<main>") + len("<main>")
    (tmp_path / "page.html").write_text(page[:start] + TABLE + page[start:], encoding="utf-8")
    show(chromium, tmp_path / "page.html")
    table = chromium.find_element(By.CSS_SELECTOR, "main table")
    for column, wanted in ((0, [2026, 9, 10]), (1, [2026, 10, 9]), (2, [10, 9, 2026])):
        press(chromium, table.find_elements(By.CSS_SELECTOR, "button.sort")[column])
        names = [one.text for one in table.find_elements(By.CSS_SELECTOR, "tbody th")]
        assert [int(name.removeprefix("run ").removesuffix("-1")) for name in names] == wanted


def test_a_long_table_is_filtered(chromium: Any, many: Built) -> None:
    show(chromium, many.path, 1280)
    line = chromium.find_element(By.CSS_SELECTOR, "#per-class ~ .filter")
    line.find_element(By.TAG_NAME, "input").send_keys("kind 4")
    rows = chromium.find_elements(By.CSS_SELECTOR, "#per-class ~ .scroll tbody tr")[: len(MANY)]
    assert sum(row.is_displayed() for row in rows) == 10
    assert "10 of 50 rows" in line.text


# --------------------------------------------------------------------------------------------------------------- matrix
PIXEL = """
const [label, predicted] = arguments;
const { matrix } = JSON.parse(document.getElementById("evaluation-data").textContent);
const at = (label) => matrix.order.indexOf(label);
const canvas = document.getElementById("heat");
const pixel = canvas.getContext("2d").getImageData(at(predicted), at(label), 1, 1).data;
return { pixel: [...pixel].slice(0, 3), x: at(predicted), y: at(label), width: canvas.getBoundingClientRect().width };
"""
LINE = """
const svg = document.querySelector(arguments[0]);
const numbers = (path) => path.getAttribute("d").match(/[-\\d.]+/g).map(Number);
const paths = [...svg.querySelectorAll("path")];
const grid = paths.filter((path) => /--grid/.test(path.style.stroke) && path.hasAttribute("clip-path")).map(numbers);
const texts = [...svg.querySelectorAll("text")].map((text) => text.textContent).filter((text) => text.endsWith("%"));
const columns = grid.filter(([x, , other]) => x === other).map(([x]) => x);
const rows = grid.filter(([, y, , other]) => y === other).map(([, y]) => y);
const ticks = [...columns, ...rows].map((at, i) => [parseFloat(texts[i]) / 100, at]);
const line = numbers(paths.find((path) => path.style.stroke.includes("--series-1")));
return [ticks.slice(0, columns.length), ticks.slice(columns.length),
  line.flatMap((value, i) => (i % 2 ? [] : [[value, line[i + 1]]]))];
"""
COLOUR = """
const probe = document.createElement("i");
probe.style.color = `var(${arguments[0]})`;
document.body.append(probe);
const colour = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
probe.remove();
return colour;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_heat_map_has_the_colours_of_the_counts(chromium: Any, many: Built, theme: str) -> None:
    show(chromium, many.path, 1280, theme)
    matrix = np.array(many.measured.confusion_matrix)
    ground, hit, miss = (np.array(chromium.execute_script(COLOUR, v)) for v in ("--card", "--series-1", "--series-2"))
    right, wrong = (
        np.argwhere((matrix > 0) & np.eye(50, dtype=bool))[0],
        np.argwhere((matrix > 0) & ~np.eye(50, dtype=bool))[0],
    )
    for value, scale in (("share", matrix.sum(axis=1)), ("count", np.full(50, matrix.max()))):
        press(chromium, chromium.find_element(By.CSS_SELECTOR, f'[data-value="{value}"]'))
        for (i, j), ink in ((right, hit), (wrong, miss)):
            drawn = chromium.execute_script(PIXEL, int(i), int(j))
            wanted = ground + (ink - ground) * (0.15 + 0.85 * np.sqrt(matrix[i, j] / scale[i]))
            assert drawn["pixel"] == pytest.approx(wanted.tolist(), abs=1)
            assert drawn["width"] == 50 * 6
        i, j = np.argwhere(matrix == 0)[0]
        assert chromium.execute_script(PIXEL, int(i), int(j))["pixel"] == ground.tolist()


def test_the_heat_map_is_read_by_mouse_and_by_keyboard(chromium: Any, many: Built) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    show(chromium, many.path, 1280)
    matrix = np.array(many.measured.confusion_matrix)
    order = confusion.order(matrix)
    i, j = (int(n) for n in np.argwhere((matrix > 0) & ~np.eye(50, dtype=bool))[3])
    canvas = chromium.find_element(By.ID, "heat")
    chromium.execute_script("arguments[0].scrollIntoView({ block: 'center' })", canvas)
    drawn = chromium.execute_script(PIXEL, i, j)
    offset = [round((drawn[axis] + 0.5) * 6 - 150) for axis in "xy"]
    words = chromium.find_element(By.ID, "heat-value")
    cell = f"true {MANY[i]}, predicted {MANY[j]}: {matrix[i, j]} image"
    ActionChains(chromium).move_to_element_with_offset(canvas, *offset).perform()
    assert words.text.startswith(cell)
    ActionChains(chromium).click().perform()
    panel = chromium.find_element(By.ID, "cell")
    assert f"{MANY[i]} predicted as {MANY[j]}: {matrix[i, j]} image" in panel.text
    assert len(panel.find_elements(By.TAG_NAME, "img")) == matrix[i, j]

    canvas.send_keys(Keys.ARROW_DOWN)  # to the next filled cell of the column
    below = [n for n in order[order.index(i) + 1 :] if matrix[n, j]]
    above = below[0] if below else i
    assert f"true {MANY[above]}, predicted {MANY[j]}" in words.text
    canvas.send_keys(Keys.ARROW_UP, Keys.ENTER)
    assert f"predicted as {MANY[j]}" in panel.text or f"{MANY[j]} predicted correctly" in panel.text
    canvas.send_keys(Keys.TAB)
    assert chromium.execute_script("return document.activeElement.id") != "heat"


def test_a_class_is_searched_for(chromium: Any, many: Built) -> None:
    show(chromium, many.path, 1280)
    matrix = np.array(many.measured.confusion_matrix)
    off = matrix * ~np.eye(50, dtype=bool)
    label = int(off.sum(axis=1).argmax())
    search = chromium.find_element(By.ID, "class-search")
    search.send_keys(MANY[label])
    found = chromium.find_element(By.ID, "class-confusions")
    assert f"{MANY[label]}: {matrix[label, label]} of {matrix[label].sum()} images right." in found.text
    buttons = found.find_elements(By.CSS_SELECTOR, f'button[data-cell^="{label}-"]')
    assert {one.get_attribute("data-cell"): int(one.text) for one in buttons} == {
        f"{label}-{j}": off[label, j] for j in np.flatnonzero(off[label])
    }
    press(chromium, buttons[0])
    assert chromium.find_elements(By.CSS_SELECTOR, "#cell img")
    (row,) = boxes(chromium, ".heat-row")
    (canvas,) = boxes(chromium, "#heat")
    assert row["top"] - canvas["top"] == pytest.approx(confusion.order(matrix).index(label) * 6, abs=1)


def test_the_table_shows_counts_or_shares(chromium: Any, few: Built) -> None:
    show(chromium, few.path)
    matrix = few.measured.confusion_matrix
    for value in ("share", "count"):
        press(chromium, chromium.find_element(By.CSS_SELECTOR, f'[data-value="{value}"]'))
        for button in chromium.find_elements(By.CSS_SELECTOR, "#matrix button"):
            i, j = map(int, str(button.get_attribute("data-cell")).split("-"))
            count = matrix[i][j]
            share = count / sum(matrix[i])
            in_percent = f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"
            assert button.text == (in_percent if value == "share" else str(count))


# ------------------------------------------------------------------------------------------------------ drawn positions
def test_whiskers_lie_where_their_numbers_say(chromium: Any, few: Built) -> None:
    show(chromium, few.path, 1280)
    rows = sorted(few.measured.classes, key=lambda row: row.recall.value if row.recall else 2)
    every = [getattr(row, key) for row in rows for key in ("recall", "precision", "f1")]
    shares = [share for share in every if share is not None]
    least = min(share.low for share in shares)
    table = "#per-class + .scroll"
    lines, ranges, dots = (boxes(chromium, f"{table} .whisker{part}") for part in ("", " i", " b"))
    assert len(lines) == len(shares)
    for share, line, drawn, dot in zip(shares, lines, ranges, dots):
        for value, position in ((share.low, drawn["left"]), (share.high, drawn["right"]), (share.value, dot["x"])):
            assert (position - line["left"]) / line["width"] == pytest.approx((value - least) / (1 - least), abs=0.01)


def test_reliability_dots_lie_where_their_numbers_say(chromium: Any, few: Built) -> None:
    show(chromium, few.path, 1280)
    chart = '#calibration ~ .grid svg[aria-label="accuracy by confidence"]'
    (diagonal,) = boxes(chromium, f'{chart} path[style*="dasharray"]')
    dots = boxes(chromium, f'{chart} path[style*="fill: var(--series-1)"]')
    bins = [row for row in few.measured.calibration if row.pictures]
    assert len(dots) == len(bins) > 1
    for row, dot in zip(bins, dots):
        x = (dot["x"] - diagonal["left"]) / diagonal["width"]
        y = (diagonal["bottom"] - dot["y"]) / (diagonal["bottom"] - diagonal["top"])
        assert [x, y] == pytest.approx([row.confidence, row.accuracy], abs=0.01)
    most = max(row.pictures for row in bins)
    widest = max(dot["width"] for dot in dots)
    for row, dot in zip(bins, dots):  # the area grows with the images
        area = (16 + 150 * row.pictures / most) / 166
        assert (dot["width"] / widest) ** 2 == pytest.approx(area, abs=0.03)


def test_the_curve_of_a_class_is_drawn_where_its_points_are(chromium: Any, few: Built) -> None:
    show(chromium, few.path, 1280)
    by_class = curves.of_classes(few.answers, len(FEW))
    for label, curve in enumerate(by_class):
        assert curve is not None
        set_value(chromium, "#curve-class", label)
        dots = boxes(chromium, "#curve .point")
        grid = boxes(chromium, "#curve .gridline")
        left, right = min(line["left"] for line in grid), max(line["right"] for line in grid)
        top, bottom = min(line["top"] for line in grid), max(line["bottom"] for line in grid)
        assert len(dots) == len(curve.recall), "few points are all drawn"
        for recall, precision, dot in zip(curve.recall, curve.precision, dots):
            assert (dot["x"] - left) / (right - left) == pytest.approx(recall, abs=0.01)
            assert (bottom - dot["y"]) / (bottom - top) == pytest.approx(precision, abs=0.01)
        assert f"{curve.average_precision:.2%}" in chromium.find_element(By.ID, "curve-value").text


def test_meters_have_the_probabilities(chromium: Any, few: Built) -> None:
    show(chromium, few.path)
    cards = chromium.find_elements(By.CSS_SELECTOR, "#gallery-errors .gallery li")
    wrong = np.flatnonzero(~few.answers.right)
    assert len(cards) == len(wrong)
    for card in cards:
        row = int(str(card.find_element(By.TAG_NAME, "img").get_attribute("data-row")))
        best = np.sort(few.answers.probabilities[row])[::-1][:3]
        meters = card.find_elements(By.TAG_NAME, "meter")
        assert [float(str(one.get_attribute("value"))) for one in meters] == pytest.approx(best.tolist(), abs=1e-4)
        assert {one.get_attribute("max") for one in meters} == {"1"}
    ink = np.array(chromium.execute_script(COLOUR, "--series-1"))
    for meter in cards[0].find_elements(By.TAG_NAME, "meter"):
        with Image.open(io.BytesIO(meter.screenshot_as_png)) as image:
            middle = np.asarray(image.convert("RGB"), int)[image.height // 2]
        drawn = (abs(middle - ink).max(axis=1) < 40).mean()
        assert drawn == pytest.approx(float(str(meter.get_attribute("value"))), abs=0.06), "to a pixel or two of forty"


def test_the_line_of_accuracy_over_coverage_lies_where_its_numbers_say(chromium: Any, few: Built) -> None:
    """Ticks of the axis are a line and a text each: from two of each axis follows where every point belongs."""
    show(chromium, few.path, 1280)
    x, y, line = chromium.execute_script(LINE, 'svg[aria-label="accuracy by coverage"]')
    shares, accuracy = report_predictions.coverage(few.answers)
    assert len(line) == len(shares)
    for values, ticks, axis in ((shares, x, 0), (accuracy, y, 1)):
        (low, at_low), (high, at_high) = ticks[0], ticks[-1]
        wanted = [at_low + (value - low) / (high - low) * (at_high - at_low) for value in values]
        assert [point[axis] for point in line] == pytest.approx(wanted, abs=0.5)


# ------------------------------------------------------------------------------------------------- galleries and tables
def test_galleries_are_chosen_by_their_buttons(chromium: Any, few: Built) -> None:
    show(chromium, few.path)
    for key in ("margins", "right", "errors"):
        button = chromium.find_element(By.CSS_SELECTOR, f'[data-gallery="{key}"]')
        button.send_keys(Keys.ENTER)
        assert button.get_attribute("aria-pressed") == "true"
        shown = [
            one
            for one in ("errors", "margins", "right")
            if chromium.find_element(By.ID, f"gallery-{one}").is_displayed()
        ]
        assert shown == [key]


def test_the_tables_beside_the_page_are_linked(chromium: Any, few: Built) -> None:
    show(chromium, few.path)
    for name, rows in (("predictions.csv", len(few.answers)), ("errors.csv", int((~few.answers.right).sum()))):
        link = chromium.find_element(By.LINK_TEXT, name)
        assert link.get_attribute("href") == (few.path.parent / name).as_uri()
        with (few.path.parent / name).open(encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) == rows


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_many_classes_fit_and_are_accessible(chromium: Any, many: Built, width: int, theme: str) -> None:
    show(chromium, many.path, width, theme)
    set_value(chromium, "#class-search", MANY[3])
    press(chromium, chromium.find_element(By.CSS_SELECTOR, '[data-gallery="margins"]'))
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    assert violations(chromium) == []
    assert chromium.get_log("browser") == []
