"""A report inside a notebook's cell, as `image_pipeline` shows it, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from image_pipeline import page
from tests.browser.conftest import press, requests, show

pytestmark = pytest.mark.slow

NOTEBOOK = (
    "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>n</title><body><h1 id='above'>cell</h1>{}</body>"
)


@pytest.mark.parametrize("name", ["report.html", "compare.html"])
def test_a_page_works_inside_a_frame(chromium: Any, report: Path, name: str) -> None:
    """Its script runs, its headings are reached inside the frame, and no link leads to a file beside it."""
    whole = report.parent / f"notebook-{name}"
    whole.write_text(NOTEBOOK.format(page.embedded((report.parent / name).read_text(), 500)))
    show(chromium, whole)
    frame = chromium.find_element(By.TAG_NAME, "iframe")
    assert frame.size["height"] >= 500
    chromium.switch_to.frame(frame)
    chromium.find_element(By.TAG_NAME, "h1")
    link = next(e for e in chromium.find_elements(By.CSS_SELECTOR, "nav a[href^='#']") if e.is_displayed())
    target = link.get_attribute("href").partition("#")[2]
    before = chromium.execute_script("return scrollY")
    press(chromium, link)
    chromium.find_element(By.ID, target)  # still the same document
    assert chromium.execute_script("return document.URL").startswith("about:srcdoc")
    if target != "verdict":
        assert chromium.execute_script("return scrollY") > before
    theme = chromium.execute_script("return document.documentElement.dataset.theme || ''")
    press(chromium, chromium.find_element(By.ID, "theme"))
    assert chromium.execute_script("return document.documentElement.dataset.theme || ''") != theme
    files = [
        anchor
        for anchor in chromium.find_elements(By.CSS_SELECTOR, "a[href]")
        if not anchor.get_dom_attribute("href").startswith("#") and "://" not in anchor.get_dom_attribute("href")
    ]
    assert files
    for anchor in files:
        clickable = anchor.is_displayed() and anchor.value_of_css_property("pointer-events") != "none"
        assert not clickable
    chromium.switch_to.default_content()
    assert chromium.current_url == whole.as_uri()
    assert [url for url in requests(chromium) if not url.startswith(("data:", "about:"))] == [whole.as_uri()]
    assert chromium.get_log("browser") == []
