"""The page of all runs, of two runs compared and of a model card, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import NAMES, press, requests, show, violations

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
