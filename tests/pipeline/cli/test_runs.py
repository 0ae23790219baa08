"""`runs` on real runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runs import History


@pytest.mark.slow
def test_runs_filters_and_sorts(history: History, ask: Any) -> None:
    everything = ask("runs", "--json")
    newest_first = [history.other, history.again, history.second, history.first]
    assert [row["run_id"] for row in everything] == [one.run_id for one in newest_first]
    for row, result in zip(everything, newest_first):
        assert row["accuracy"] == result.metrics["accuracy"]  # type: ignore[index]
        assert row["preset"] == "small"
        assert row["blessed"] == result.blessed
        assert row["pushed"] == (result.pushed or {}).get("version")
    best = [row["accuracy"]["value"] for row in ask("runs", "--sort", "accuracy", "--json")]
    assert best == sorted(best, reverse=True)
    assert [row["run_id"] for row in ask("runs", "--filter", "pushed=no", "--json")] == [history.second.run_id]
    both = ask("runs", "--filter", "pushed", "--filter", "name=few*", "--json")
    assert [row["run_id"] for row in both] == [history.other.run_id]
    table = ask("runs")
    for result in newest_first:
        assert result.run_id in table
        assert f"{result.metrics['accuracy']['low']:.1%} to" in table  # type: ignore[index]
    assert "none of the 4 runs" in ask("runs", "--filter", "state=failed")
