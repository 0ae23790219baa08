"""A headless Chromium (Debian's chromium and chromium-driver) and a report to look at."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.contracts.run_result import Result
from pipeline import ROOT
from tests.skips import missing

if TYPE_CHECKING:
    from components.report.index import Entry

ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = ROOT / ".tools" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RUNS = tuple(f"2026010{2 + i * i}-030400.000-00000{i}" for i in range(4))
NAMES = ("circle", "square", "<b>triangle</b>", "猫")


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside it index.html, which lists it twice, card.html and compare.html."""
    from components.report import card, comparison, comparison_page, index
    from components.report.build import build
    from tests.report import factories
    from tests.report.test_card import made_up

    root = tmp_path_factory.mktemp("report")
    path = root / "report.html"
    run = factories.evaluated(root, NAMES, baseline=True)
    build(run, path)
    card.write(made_up(root / "card", NAMES), root / "card.md", root / "card.html")
    sides = [
        comparison.ComparedRun(
            one.result, {"trainer.epochs": i, "data.source": NAMES[2]}, {}, f"sha256:{i}", one.artifacts
        )
        for i, one in enumerate((run, factories.evaluated(root / "other", (*NAMES[:3], "dog"), pushed=False, seed=2)))
    ]
    found = comparison.compare(*sides)
    comparison_page.write(found, sides, [path, path], root / "compare.html")
    shutil.copy(root / "compare.html", root / f"{RUNS[0]}..{RUNS[2]}.html")
    index.build(list(listed(run.result, path, root / "card.html")), root / "index.html", [*root.glob("*..*.html")])
    return path


def listed(result: Result, report: Path, card: Path) -> Iterator[Entry]:
    """Yield a run of every one of RUNS, with other accuracies; the last is of another data set."""
    from components.report.index import Entry

    for i, run_id in enumerate(RUNS):
        assert result.metrics
        accuracy = {"value": 0.6 + i / 10, "low": 0.5 + i / 10, "high": 0.65 + i / 10}
        changed = dataclasses.replace(
            result,
            run_id=run_id,
            name="others" if i == 3 else result.name,
            source=NAMES[2],
            metrics=result.metrics | {"accuracy": accuracy},
        )
        yield Entry(changed, datetime(2026, 1, 2 + i * i, 3, 4), report, card)


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from components.report.build import build
    from tests.report import factories

    root = tmp_path_factory.mktemp("stopped")
    build(factories.stopped_at_the_gate(root, NAMES), root / "report.html")
    return root / "report.html"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        missing("chromium and chromium-driver are not installed", "REQUIRE_BROWSER")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture
def page(chromium: Any, report: Path) -> Any:
    """The report, freshly opened: 800 pixels wide, light."""
    show(chromium, report)
    return chromium


def show(browser: Any, path: Path, width: int = 800, theme: str = "light") -> None:
    features = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    media = [{"name": name, "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what came before is not this page's
    browser.get(path.as_uri())
    browser.execute_script("try { localStorage.clear() } catch {}; delete document.documentElement.dataset.theme")


def press(browser: Any, element: Any) -> None:
    """Click it with the mouse, away from what is fixed to the edges."""
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", element)
    element.click()


def requests(browser: Any) -> list[str]:
    """The addresses that the page has asked for since it was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def violations(browser: Any) -> list[tuple[str, str, str]]:
    """What axe-core has to say against the page."""
    if not AXE.exists():
        missing("no axe-core: npm install --no-save --prefix .tools/axe axe-core@4.14.1", "REQUIRE_BROWSER")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script("axe.run().then(arguments[0])")["violations"]
    return [(one["id"], node["html"][:200], node["failureSummary"]) for one in found for node in one["nodes"][:3]]
