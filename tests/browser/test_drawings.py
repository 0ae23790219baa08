"""What the sections of data, training and run draw, measured in Chromium against the numbers; images that enlarge."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.contracts import features as f
from components.contracts.counts import COUNTS_FILE
from tests.browser.conftest import NAMES, press, show, violations

pytestmark = pytest.mark.slow

IMAGES = (96, 80, 64, 53)  # of each class in train: the bars of the larger ones were once all of one length
SECONDS = (85.0, 216.0, 0.5, 0.0)  # of the first stages; the others take a second


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report whose classes and stages are far from equal."""
    from components.report.build import build
    from tests.report import factories

    root = tmp_path_factory.mktemp("uneven")
    run = factories.evaluated(root, NAMES)
    counts = json.loads((root / "examples" / COUNTS_FILE).read_text())
    counts["splits"][f.TRAIN] = dict(zip(NAMES, IMAGES))
    (root / "examples" / COUNTS_FILE).write_text(json.dumps(counts))
    for stage, seconds in zip(run.result.stages.values(), SECONDS):
        stage["seconds"] = seconds
    build(run, root / "report.html")
    return root


def bars(browser: Any, table: str) -> list[list[tuple[float, float, float]]]:
    """(value, length of the bar, length of its track) of each row of each column with bars, in pixels."""
    rows = browser.execute_script(
        """return [...document.querySelectorAll(`[aria-label="${arguments[0]}"] tbody tr`)].map((row) =>
           [...row.querySelectorAll(".bar-row")].map((bar) => [Number(bar.querySelector("data").value),
             bar.querySelector(".bar").getBoundingClientRect().width,
             bar.querySelector(".track").getBoundingClientRect().width]))""",
        table,
    )
    return [list(column) for column in zip(*rows)]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("table", ["Images by class and split", "Stages with time and memory"])
def test_a_bar_is_as_long_as_its_number(chromium: Any, uneven: Path, table: str, width: int) -> None:
    show(chromium, uneven / "report.html", width)
    for column in bars(chromium, table):
        largest = max(value for value, _, _ in column)
        assert len({round(track, 1) for _, _, track in column}) == 1
        for value, length, track in column:
            assert track >= 60
            assert length == pytest.approx(value / largest * track, abs=1), (value, largest)


def drawn(browser: Any, chart: str, colour: str) -> np.ndarray:
    """The corners of the line of a colour in a chart, [N, 2] pixels on the screen."""
    return np.array(
        browser.execute_script(
            """const svg = document.querySelector(`svg[aria-label="${arguments[0]}"]`);
               const path = [...svg.querySelectorAll("path")].find((path) =>
                 (path.getAttribute("style") || "").includes(`stroke: var(--${arguments[1]})`) &&
                 (path.getAttribute("style") || "").includes("fill: none"));
               const to = path.getScreenCTM();
               return [...path.getAttribute("d").matchAll(/[ML] (\\S+) (\\S+)/g)].map(([, x, y]) => {
                 const point = new DOMPoint(Number(x), Number(y)).matrixTransform(to);
                 return [point.x, point.y]; })""",
            chart,
            colour,
        )
    )


def labels(browser: Any, chart: str) -> list[tuple[str, float, float]]:
    """The texts in a chart with the middles of their boxes."""
    return browser.execute_script(
        """return [...document.querySelectorAll(`svg[aria-label="${arguments[0]}"] text`)].map((text) => {
             const box = text.getBoundingClientRect();
             return [text.textContent.trim(), box.x + box.width / 2, box.y + box.height / 2]; })""",
        chart,
    )


@pytest.mark.parametrize(("series", "key"), [("series-1", "accuracy"), ("series-2", "val_accuracy")])
def test_the_curves_of_the_training_lie_where_their_numbers_say(
    chromium: Any, uneven: Path, series: str, key: str
) -> None:
    show(chromium, uneven / "report.html", 1280)
    epochs = json.loads((uneven / "model_run" / "history.json").read_text())
    points = drawn(chromium, "Accuracy by epoch", series)
    texts = labels(chromium, "Accuracy by epoch")
    levels = sorted((float(text[:-1]) / 100, y) for text, _, y in texts if text.endswith("%"))
    numbers = sorted((float(text), x) for text, x, _ in texts if text.isdigit())
    up = np.polyfit(*zip(*levels), 1)
    right = np.polyfit(*zip(*numbers), 1)
    np.testing.assert_allclose(points[:, 0], np.polyval(right, [epoch["epoch"] for epoch in epochs]), atol=1.5)
    np.testing.assert_allclose(points[:, 1], np.polyval(up, [epoch[key] for epoch in epochs]), atol=2.5)


def test_the_areas_of_a_histogram_are_the_shares_of_the_images(chromium: Any, uneven: Path) -> None:
    show(chromium, uneven / "report.html", 1280)
    chart = "histograms of brightness (mean luma) by split"
    file = uneven / "statistics" / f"Split-{f.TRAIN}" / "FeatureStats.pb"
    features = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes()).datasets[0].features
    brightness = next(feature for feature in features if feature.path.step[0] == f.BRIGHTNESS).num_stats
    standard = next(h for h in brightness.histograms if h.type == h.STANDARD)
    shares = np.array([bucket.sample_count for bucket in standard.buckets if bucket.high_value > bucket.low_value])
    corners = drawn(chromium, chart, "series-1")
    base = corners[:, 1].max()
    areas = [
        (x2 - x1) * (base - y)
        for (x1, y), (x2, other) in itertools.pairwise(corners)
        if abs(y - other) < 0.01 and x2 - x1 > 0.01
    ]
    np.testing.assert_allclose(np.array(areas) / np.sum(areas), shares / shares.sum(), atol=0.02)


def test_an_image_enlarges_by_click_and_by_key_and_closes(chromium: Any, uneven: Path) -> None:
    show(chromium, uneven / "report.html", 1280)
    dialog = chromium.find_element(By.ID, "lightbox")
    first, second, *_ = chromium.find_elements(By.CSS_SELECTOR, ".samples figure:first-child img")
    press(chromium, first)
    assert dialog.is_displayed()
    assert dialog.find_element(By.TAG_NAME, "img").get_attribute("src") == first.get_attribute("src")
    path = json.loads(str(first.get_attribute("data-source")))
    assert dialog.find_element(By.TAG_NAME, "code").text == path
    assert violations(chromium) == []
    chromium.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert dialog.find_element(By.TAG_NAME, "img").get_attribute("src") == second.get_attribute("src")
    chromium.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
    assert chromium.switch_to.active_element == second, "the focus is where one was"
    second.send_keys(Keys.ARROW_LEFT)
    chromium.switch_to.active_element.send_keys(Keys.ENTER)
    assert dialog.is_displayed()
    assert dialog.find_element(By.TAG_NAME, "code").text == path


def test_every_link_within_the_page_leads_somewhere(chromium: Any, uneven: Path) -> None:
    show(chromium, uneven / "report.html", 1280)
    lost = chromium.execute_script(
        """return [...document.querySelectorAll('a[href^="#"]')].map((link) => link.getAttribute("href"))
           .filter((href) => !document.getElementById(href.slice(1)))"""
    )
    assert lost == []
    listed = chromium.find_elements(By.CSS_SELECTOR, "nav.contents a")
    assert [link.text for link in listed][:2] == ["What to do next", "Evaluation"]


def test_what_matters_is_within_three_screens(chromium: Any, uneven: Path) -> None:
    """At 1,280 pixels: the confusion matrix, the top confusions and the errors begin before the end of the third."""
    show(chromium, uneven / "report.html", 1280)
    for part in ("verdict", "next", "confusion", "top-confusions", "errors"):
        assert chromium.find_element(By.ID, part).location["y"] < 3 * 900, part


def test_printed_the_page_fits_the_paper(chromium: Any, uneven: Path) -> None:
    """On the width of A4 at 96 dots an inch, less its margins; tables do not scroll on paper."""
    show(chromium, uneven / "report.html", 720)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= 720
        assert not chromium.find_element(By.ID, "theme").is_displayed()
        assert chromium.find_element(By.ID, "matrix").is_displayed()
    finally:
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
