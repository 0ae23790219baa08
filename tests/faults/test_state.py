"""A run directory whose files were lost or damaged: nothing is trained on silently, and the advice leads on."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from components import features as f
from components.errors import UserError
from pipeline.result import FAULT
from tests.end_to_end.support import executed, run, write_folder

pytestmark = pytest.mark.slow

LENIENT = ("evaluator.min_accuracy=0", "evaluator.min_class_recall=0")


def test_lost_records_and_a_lost_database(tmp_path: Path) -> None:
    runs, images = tmp_path / "runs", write_folder(tmp_path / "pictures", train=20, test=10)
    assert run(runs, images, *LENIENT, last="Transform").exit_code == 0
    (shard,) = (runs / "artifacts" / "pictures" / "ExampleGen").rglob(f"Split-{f.TRAIN}/*")
    os.truncate(shard, shard.stat().st_size // 2)
    for stopped in (run(runs, images, *LENIENT), run(runs, images, *LENIENT, first="Trainer")):
        assert stopped.exit_code == FAULT
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
    shutil.move(tmp_path / "kept", database)
    assert executed(run(runs, images, *LENIENT)) == []
