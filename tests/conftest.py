"""What holds for every test, and the runs that several of them look at."""

from __future__ import annotations

import functools
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Speed is measured in benchmarks/, and a busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long versions out unless they are asked for (`make chaos`), and begin with the longest files."""
    # `make test` gives whole files to its workers: none should get one of the longest at the end.
    longest = {"end_to_end", "notebooks"}
    items.sort(key=lambda item: not longest.intersection(item.path.parts) and _shared_fixture(item.path) is None)
    if "chaos" in config.option.markexpr:
        return
    if left_out := [item for item in items if item.get_closest_marker("chaos")]:
        items[:] = [item for item in items if not item.get_closest_marker("chaos")]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to the workers of `make test`, and all files that share a slow fixture to the same worker."""
    from xdist.scheduler import LoadFileScheduling

    class BySharedFixture(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return _shared_fixture(config.rootpath / file) or file

    return BySharedFixture(config, log) if config.getvalue("dist") == "loadfile" else None


@functools.cache
def _shared_fixture(file: Path) -> str | None:
    """The fixture of the whole session that takes a minute to make and that the tests in the file ask for."""
    text = file.read_text(encoding="utf-8")
    return next((name for name in ("history: History", "trained: Trained") if name in text), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests counted with `record_property`, which docs/reliability.md quotes."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    if told := [report for report in reports if report.user_properties]:
        terminalreporter.section("figures")
        for report in told:
            figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.line(f"{report.nodeid}: {figures}")


# A job that a shell started in the background, or under nohup, begins with Ctrl-C ignored, and so would its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The servers that tests start are on this machine, whatever proxy leads away from it.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost,::1"


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.runs import make_history

    return make_history(tmp_path_factory.mktemp("history"))


@pytest.fixture(autouse=True)
def _our_warnings_are_errors() -> None:
    warnings.filterwarnings("error", module=r"(components|image_pipeline|pipeline)(\.|$)")
    # Of protobuf 6, which takes what calls TFX for what calls protobuf.
    warnings.filterwarnings("ignore", r"label\(\) is deprecated", DeprecationWarning)
