"""A run directory whose files were lost or damaged: nothing is trained on silently, and the advice leads on."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from components.contracts import features as f
from components.contracts.run_result import ExitCode
from components.errors import UserError
from pipeline.config import load
from pipeline.runs import comparison, consistency, run_dir
from pipeline.tracking import metadata
from tests.datasets import write_folder
from tests.runs import LENIENT, executed, run, store_of

pytestmark = pytest.mark.slow


def test_lost_records_and_a_lost_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, images = tmp_path / "runs", write_folder(tmp_path / "pictures", train=20, test=10)
    assert run(runs, images, *LENIENT, last="Transform").exit_code == 0
    (shard,) = (runs / "artifacts" / "pictures" / "ExampleGen").rglob(f"Split-{f.TRAIN}/*")
    os.truncate(shard, shard.stat().st_size // 2)
    for stopped in (run(runs, images, *LENIENT), run(runs, images, *LENIENT, first="Trainer")):
        assert stopped.exit_code == ExitCode.FAILED
        assert stopped.stages["Trainer"]["state"] == "failed"
        (why,) = stopped.why
        assert str(shard.parent.parent) in why
    advice = re.search(r"remove (\S+) and run the pipeline from its first stage", why)
    assert advice
    shutil.rmtree(advice[1])
    mended = run(runs, images, *LENIENT)
    assert mended.exit_code == 0, mended.why
    assert {"ExampleGen", "Transform", "Trainer"} < set(executed(mended))

    database = runs / "metadata.sqlite"
    database.rename(tmp_path / "kept")
    for lost in (None, b""):
        if lost is not None:
            database.write_bytes(lost)
        with pytest.raises(UserError, match="is missing or empty: it does not know"):
            run(runs, images, *LENIENT)
    other, before = tmp_path / "other", contents(runs / "artifacts")
    with monkeypatch.context() as unchecked:  # as where two run directories write to one folder of artifacts
        unchecked.setattr(consistency, "check", lambda config: None)
        stopped = run(other, images, *LENIENT, f"artifacts_dir={runs}/artifacts")
    assert stopped.exit_code == ExitCode.USAGE_ERROR
    assert "is not empty: another run directory" in stopped.why[0]
    assert contents(runs / "artifacts").items() >= before.items(), "what lay there is left alone"
    shutil.rmtree(runs / "artifacts" / "pictures" / "ExampleGen" / "examples" / "1")  # what the other one made
    shutil.move(tmp_path / "kept", database)
    assert executed(run(runs, images, *LENIENT)) == []

    partial = run(runs, images, *LENIENT, first="Evaluator")
    assert partial.exit_code == 0, partial.why
    known = [one.id for one in metadata.runs(store_of(runs))]
    folders = [run_dir.of_run(load("digits", None, (f"run_dir={runs}",))[0], one) for one in known[:2]]
    sides = [comparison.collect(store_of(runs), folder) for folder in folders]
    assert sides[0].code["Trainer"] == sides[1].code["Trainer"], "a partial run reused it"
    both = sides[0].code.keys() & sides[1].code.keys()
    assert [name for name in both if sides[0].code[name] != sides[1].code[name]] == []

    put_clock_back(database)
    later = run(runs, images, *LENIENT, last="StatisticsGen")
    assert later.exit_code == 0, later.why
    assert later.stages["ExampleGen"]["state"] == "cached"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_clock_back(database: Path) -> None:
    """As if all so far had been done on a clock that was a day ahead."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for table in ("Artifact", "Execution", "Context"):
            for column in ("create_time_since_epoch", "last_update_time_since_epoch"):
                connection.execute(f"UPDATE {table} SET {column} = {column} + 86400000")
