"""The page of all runs, of two runs compared and of a model card, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import NAMES, RUNS, press, requests, show, violations

pytestmark = pytest.mark.slow

PAGES = ("index.html", "compare.html", "card.html")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_it_is_quiet_offline_and_accessible(chromium: Any, report: Path, page: str, theme: str) -> None:
    """On a telephone: nothing sticks out, no console message, no request, no violation that axe-core can find."""
    path = report.parent / page
    show(chromium, path, 380, theme)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 380
    assert violations(chromium) == []
    press(chromium, chromium.find_element(By.ID, "theme"))
    assert violations(chromium) == []
    asked = requests(chromium)
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert chromium.get_log("browser") == []


@pytest.mark.parametrize("page", PAGES)
def test_a_name_with_html_in_it_is_text(chromium: Any, report: Path, page: str) -> None:
    show(chromium, report.parent / page)
    assert NAMES[2] in chromium.find_element(By.TAG_NAME, "main").text
    assert not chromium.find_elements(By.CSS_SELECTOR, "main bdi b, main ul:not(.gallery) > li b")


@pytest.mark.parametrize(
    ("link", "leads_to"), [("tbody th a", "verdict"), ("tbody td a", "limits"), ("li a", "metrics")]
)
def test_the_index_leads_to_reports_cards_and_comparisons(
    chromium: Any, report: Path, link: str, leads_to: str
) -> None:
    show(chromium, report.parent / "index.html")
    press(chromium, chromium.find_element(By.CSS_SELECTOR, link))
    assert chromium.find_element(By.ID, leads_to).is_displayed()


def texts(browser: Any, selector: str) -> list[str]:
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def middles(browser: Any, selector: str) -> np.ndarray:
    """The middles of the elements, in pixels: [N, 2]."""
    script = """return [...document.querySelectorAll(arguments[0])].map((found) => {
        const box = found.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    })"""
    return np.array(browser.execute_script(script, selector))


def values(browser: Any, of: str) -> np.ndarray:
    found = browser.find_elements(By.CSS_SELECTOR, f'data[data-of="{of}"]')
    return np.array([float(str(one.get_attribute("value"))) for one in found])


# ------------------------------------------------------------------------------------------------------------- all runs
def test_the_index_shows_every_column_at_1280_pixels(chromium: Any, report: Path) -> None:
    show(chromium, report.parent / "index.html", 1280)
    box = chromium.find_element(By.CSS_SELECTOR, "#runs .scroll")
    assert chromium.execute_script("return arguments[0].scrollWidth - arguments[0].clientWidth", box) == 0
    show(chromium, report.parent / "index.html", 390)
    box = chromium.find_element(By.CSS_SELECTOR, "#runs .scroll")
    assert chromium.execute_script("return arguments[0].scrollWidth - arguments[0].clientWidth", box) > 0


def test_two_ticked_runs_give_the_command_that_compares_them(chromium: Any, report: Path) -> None:
    show(chromium, report.parent / "index.html")
    boxes = {str(box.get_attribute("value")): box for box in chromium.find_elements(By.CSS_SELECTOR, ".pick input")}
    assert set(boxes) == set(RUNS)
    press(chromium, boxes[RUNS[2]])
    assert texts(chromium, "#picked") == ["Tick a second run to compare."]
    press(chromium, boxes[RUNS[0]])
    assert texts(chromium, "#picked code") == [f"image-pipeline compare {RUNS[0]} {RUNS[2]} --open"]
    assert [run for run, box in boxes.items() if not box.is_enabled()] == [RUNS[3], RUNS[1]]
    assert violations(chromium) == []
    press(chromium, chromium.find_element(By.CSS_SELECTOR, "#picked a"))
    assert chromium.find_element(By.ID, "metrics").is_displayed()


def test_two_runs_that_were_not_compared_yet_have_no_page(chromium: Any, report: Path) -> None:
    show(chromium, report.parent / "index.html")
    for run in RUNS[:2]:
        press(chromium, chromium.find_element(By.CSS_SELECTOR, f'.pick input[value="{run}"]'))
    assert texts(chromium, "#picked code") == [f"image-pipeline compare {RUNS[0]} {RUNS[1]} --open"]
    assert not chromium.find_elements(By.CSS_SELECTOR, "#picked a")


def test_the_points_of_the_history_lie_at_the_times_and_accuracies_of_the_runs(chromium: Any, report: Path) -> None:
    show(chromium, report.parent / "index.html", 1280)
    points = middles(chromium, "#accuracy svg a")
    accuracies = values(chromium, "accuracy")[::-1][:3]  # the table begins with the newest; the last has no history
    days = np.array([0, 1, 4])
    for drawn, true in ((points[:, 0], days), (-points[:, 1], accuracies)):
        slope, start = np.polyfit(true, drawn, 1)
        assert slope > 0
        np.testing.assert_allclose(drawn, slope * true + start, atol=0.75)
    band = chromium.execute_script("return document.querySelector('#accuracy svg use[style*=opacity]').getBBox()")
    points = chromium.execute_script(
        "return [...document.querySelectorAll('#accuracy a use')].map(({ x, y }) => [x.baseVal.value, y.baseVal.value])"
    )
    slope, start = np.polyfit(accuracies, np.array(points)[:, 1], 1)
    ends = [slope * values(chromium, f"accuracy.{end}")[::-1][:3] + start for end in ("high", "low")]
    np.testing.assert_allclose(band["y"], ends[0].min(), atol=0.5)
    np.testing.assert_allclose(band["y"] + band["height"], ends[1].max(), atol=0.5)
    np.testing.assert_allclose(band["x"], points[0][0], atol=0.5)
    np.testing.assert_allclose(band["x"] + band["width"], points[-1][0], atol=0.5)
    press(chromium, chromium.find_element(By.CSS_SELECTOR, "#accuracy svg a"))
    assert chromium.find_element(By.ID, "verdict").is_displayed()


def test_one_data_set_can_be_chosen(chromium: Any, report: Path) -> None:
    show(chromium, report.parent / "index.html")
    chromium.find_element(By.CSS_SELECTOR, "#by-name option:nth-child(2)").click()
    assert [text.split()[0] for text in texts(chromium, "#runs tbody tr:not(.of-others) th")] == [RUNS[3]]
    assert not any(chart.is_displayed() for chart in chromium.find_elements(By.CSS_SELECTOR, "#accuracy svg"))


# ------------------------------------------------------------------------------------------------------------- two runs
def test_the_recalls_are_drawn_where_they_are(chromium: Any, report: Path) -> None:
    """Each dot lies at its recall on a line from the lowest end of an interval to 100%, each band over its interval."""
    show(chromium, report.parent / "compare.html", 1280)
    ends = {end: {side: values(chromium, f"recall.{side}{end}") for side in "ab"} for end in ("", ".low", ".high")}
    least = min(ends[".low"]["a"].min(), ends[".low"]["b"].min())
    script = """return [...document.querySelectorAll(arguments[0])].map((line) => {
        const all = line.getBoundingClientRect();
        const dot = line.querySelector("b").getBoundingClientRect();
        const band = line.querySelector("i").getBoundingClientRect();
        return [dot.left + dot.width / 2, band.left, band.right].map((x) => (x - all.left) / all.width);
    })"""
    for side, child in (("a", "first"), ("b", "last")):
        drawn = np.array(chromium.execute_script(script, f".pair .whisker:{child}-child"))
        assert len(drawn) == len(ends[""][side]) > 2
        for column, end in zip(drawn.T, ("", ".low", ".high")):
            np.testing.assert_allclose(column, (ends[end][side] - least) / (1 - least), atol=0.01)


def test_the_images_that_changed_sides_can_be_seen(chromium: Any, report: Path) -> None:
    show(chromium, report.parent / "compare.html")
    gained, lost = values(chromium, "gained"), values(chromium, "lost")
    chromium.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    images = chromium.find_elements(By.CSS_SELECTOR, ".gallery.changed img")
    assert len(images) == gained[0] + lost[0] > 0
    assert all(image.is_displayed() and image.size["width"] >= 96 for image in images)
    assert len(chromium.find_elements(By.CSS_SELECTOR, "#training svg")) == 2
