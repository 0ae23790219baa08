"""The report in a real browser: complete, quiet, offline, and usable by mouse, keyboard and screen reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import NAMES, press, requests, show, violations

pytestmark = pytest.mark.slow

SECTIONS = ("verdict", "data", "training", "evaluation", "run")


def cells(page: Any) -> list[Any]:
    return page.find_elements(By.CSS_SELECTOR, "#matrix button")


def test_every_section_is_there_and_the_console_is_silent(page: Any) -> None:
    for section in SECTIONS:
        assert page.find_element(By.ID, section).is_displayed()
        assert page.find_element(By.CSS_SELECTOR, f'nav a[href="#{section}"]').is_displayed()
    for button in cells(page):
        press(page, button)
    press(page, page.find_element(By.ID, "theme"))
    assert page.get_log("browser") == []


def test_nothing_is_requested_but_the_page_itself(page: Any, report: Path) -> None:
    for summary in page.find_elements(By.TAG_NAME, "summary"):
        press(page, summary)
    for button in cells(page):
        press(page, button)
    asked = requests(page)
    assert report.as_uri() in asked
    assert [url for url in asked if url != report.as_uri() and not url.startswith("data:")] == []


def test_every_image_is_shown(page: Any) -> None:
    for button in cells(page):
        press(page, button)
    broken = page.execute_script("return [...document.images].filter((i) => !i.complete || !i.naturalWidth).length")
    assert broken == 0
    assert page.execute_script("return document.images.length") > 20


def test_a_click_on_a_cell_shows_its_images(page: Any) -> None:
    button = next(one for one in cells(page) if "miss" in str(one.get_attribute("class")))
    press(page, button)
    label, predicted = map(int, str(button.get_attribute("data-cell")).split("-"))
    panel = page.find_element(By.ID, "cell")
    assert f"{NAMES[label]} predicted as {NAMES[predicted]}" in panel.text
    assert len(panel.find_elements(By.TAG_NAME, "img")) == int(button.text)
    assert button.get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE])
def test_the_matrix_works_by_keyboard_alone(page: Any, key: str) -> None:
    """Tab reaches the matrix once; the arrow keys walk over its numbers; Enter or space chooses."""
    page.find_element(By.TAG_NAME, "body").click()
    for _ in range(100):
        page.switch_to.active_element.send_keys(Keys.TAB)
        if page.switch_to.active_element.get_attribute("data-cell"):
            break
    assert page.switch_to.active_element.get_attribute("data-cell") == "0-0"
    page.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    chosen = page.switch_to.active_element
    assert chosen.get_attribute("data-cell") != "0-0"
    chosen.send_keys(key)
    panel = page.find_element(By.ID, "cell")
    assert len(panel.find_elements(By.TAG_NAME, "img")) == int(chosen.text)
    chosen.send_keys(Keys.TAB)
    assert not page.execute_script("return !!document.activeElement.closest('#matrix')")


def test_pairs_that_are_mixed_up_show_their_images_too(page: Any) -> None:
    press(page, page.find_element(By.CSS_SELECTOR, "button.plain[data-cell]"))
    assert page.find_elements(By.CSS_SELECTOR, "#cell img")


def test_both_themes_follow_the_system_and_the_button(page: Any, report: Path) -> None:
    def ground() -> str:
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = ground()
    press(page, page.find_element(By.ID, "theme"))
    dark = ground()
    assert dark != light
    show(page, report, theme="dark")
    assert ground() == dark
    press(page, page.find_element(By.ID, "theme"))
    assert ground() == light


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_at_every_width_the_page_fits_and_is_accessible(chromium: Any, report: Path, width: int, theme: str) -> None:
    """Nothing sticks out, and axe-core finds no violation, contrast of the colours included."""
    show(chromium, report, width, theme)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    chromium.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    press(chromium, next(one for one in cells(chromium) if "miss" in str(one.get_attribute("class"))))
    assert violations(chromium) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_data_stopped_at_the_gate_is_accessible_too(chromium: Any, stopped: Path, theme: str) -> None:
    """The images of the findings are there, and no section that the run did not come to."""
    show(chromium, stopped, 360, theme)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 360
    assert len(chromium.find_elements(By.CSS_SELECTOR, ".finding img")) == 2
    assert [one.get_attribute("id") for one in chromium.find_elements(By.TAG_NAME, "section")] == [
        "verdict", "findings", "data", "run",
    ]  # fmt: skip
    assert violations(chromium) == []
    assert chromium.get_log("browser") == []


def test_it_is_painted_within_a_second(page: Any) -> None:
    script = "return performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)"
    painted = WebDriverWait(page, 10).until(lambda browser: browser.execute_script(script))
    assert painted[0] < 1000
