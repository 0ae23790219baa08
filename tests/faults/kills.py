"""A run that is killed again and again with SIGKILL, and what must hold in the end."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components.contracts import features as f
from pipeline import ALL_STAGES, ROOT
from pipeline.tracking import metadata
from tests.runs import LENIENT, QUICK, store_of

# A training of some seconds whose every step is kept, so that most kills in it leave something to go on from.
SETTINGS = (*QUICK, "trainer.epochs=40", "trainer.checkpoint_seconds=0")
_LIMIT = 600.0  # seconds a run may take on a busy machine
_DONE = re.compile(r"^  (\w+) +(?:done|cached)\b", re.MULTILINE)


@dataclass
class Figures:
    """What happened, over all chains."""

    chains: int = 0
    stages: Counter[str] = field(default_factory=Counter)  # in which a kill came
    resumed: int = 0  # trainings that went on after a checkpoint
    looks: int = 0  # at serving/

    @property
    def kills(self) -> int:
        return self.stages.total()

    def items(self) -> dict[str, object]:
        where = ", ".join(
            f"{stage} {self.stages[stage]}" for stage in ["start", *ALL_STAGES, "end"] if self.stages[stage]
        )
        return {
            "kills": f"{self.kills} ({where})",
            "chains": self.chains,
            "trainings resumed": self.resumed,
            "looks at serving": self.looks,
        }


class Watcher(threading.Thread):
    """Looks at the served versions all the time: what is there must be complete when it is first seen, and stay."""

    def __init__(self, base: Path) -> None:
        super().__init__(daemon=True)
        self.base, self.looks, self.faults = base, 0, list[str]()
        self._seen: dict[str, dict[str, int]] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.005):
            self.look()

    def end(self) -> None:
        self._ended.set()
        self.join()

    def look(self) -> None:
        for version in _versions(self.base):
            files = {str(p.relative_to(version)): p.stat().st_size for p in version.rglob("*") if p.is_file()}
            first = self._seen.setdefault(version.name, files)
            if not {"saved_model.pb", "variables/variables.index"} <= set(files) or 0 in files.values():
                self.faults.append(f"version {version.name} is incomplete: {files}")
            if files != first:
                self.faults.append(f"version {version.name} changed from {first} to {files}")
        self.looks += 1


def _versions(base: Path) -> list[Path]:
    """As TensorFlow Serving sees them: folders named by a number."""
    return [path for path in base.iterdir() if path.name.isdigit()] if base.is_dir() else []


class Runs:
    """One run directory, and the command that is started in it again and again."""

    def __init__(self, folder: Path, data: Path, *settings: str) -> None:
        self.folder, self.runs = folder, folder / "runs"
        self.serving = self.runs / "serving" / data.name
        folder.mkdir()
        self._started = 0
        options = [f"--set={setting}" for setting in (*SETTINGS, *LENIENT, *settings)]
        self._command = [sys.executable, "-m", "pipeline", "run", "--data", str(data), "--run-dir", str(self.runs)]
        self._command += options

    def start(self) -> subprocess.Popen[bytes]:
        self._started += 1
        with open(self._screen, "wb") as screen:
            return subprocess.Popen(self._command, cwd=ROOT, stdout=screen, stderr=subprocess.STDOUT)

    @property
    def _screen(self) -> Path:
        return self.folder / f"screen{self._started}"

    def finish(self) -> None:
        process = self.start()
        assert process.wait(_LIMIT) == 0, self._screen.read_text()[-3000:]

    def stage(self) -> str:
        """In which stage the latest process was when it ended."""
        screen = self._screen.read_text()
        if "loading TensorFlow" not in screen:
            return "start"
        ended = set(_DONE.findall(screen))
        return next((stage for stage in self._stages() if stage not in ended), "end")

    def _stages(self) -> list[str]:
        return [stage for stage in ALL_STAGES if stage not in ("WarmStart", "Tuner")]

    def kill(self, how: str, draw: random.Random, span: float) -> str | None:
        """Start it and kill it at a random moment; the stage in which that was, None where it had ended before.

        Args:
          how: "any" is a moment of the first `span` seconds; "training" one after its first checkpoint; "pushing" one
            just after a version was pushed or while it is copied.
        """
        kept, pushed = self._kept(), self._pushed()
        process = self.start()
        deadline = time.monotonic() + _LIMIT
        if how != "any":
            while process.poll() is None and time.monotonic() < deadline:
                if (self._kept() != kept) if how == "training" else (self._pushed() != pushed):
                    break
                time.sleep(0.0005)
        try:
            process.wait(
                {"any": draw.uniform(0, span), "training": draw.uniform(0, 2), "pushing": draw.uniform(0, 0.02)}[how]
            )
        except subprocess.TimeoutExpired:
            process.kill()
        if process.wait() == -9:
            return self.stage()
        assert process.returncode == 0, self._screen.read_text()[-3000:]
        return None

    def _kept(self) -> dict[str, int]:
        """The checkpoints that there are, by when they were written."""
        found = {}
        for file in (self.runs / "checkpoints").glob("*/checkpoint"):
            try:
                found[str(file)] = file.stat().st_mtime_ns
            except FileNotFoundError:  # the training is finished
                continue
        return found

    def _pushed(self) -> set[str]:
        return {path.name for path in self.serving.iterdir()} if self.serving.is_dir() else set()

    def resumed(self) -> int:
        return sum("training resumes after" in log.read_text() for log in self.runs.glob("runs/*/run.log"))

    def weights(self) -> list[bytes]:
        """Every variable of the version in front, to the bit, sorted: their order in the file means nothing."""
        import tensorflow as tf

        front = max(_versions(self.serving), key=lambda version: int(version.name))
        reader = tf.train.load_checkpoint(str(front / "variables" / "variables"))
        names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
        return sorted(np.asarray(reader.get_tensor(name)).tobytes() for name in names)

    def check(self) -> None:
        """Nothing is left of what was killed, and ML Metadata and serving/ say the same."""
        store = store_of(self.runs)
        known = metadata.executions(store, [path.name for path in (self.runs / "runs").iterdir()])
        assert not metadata.left_running(known)
        ended = {str(one.id) for one in known} - {str(one.id) for one in metadata.unsuccessful(known)}
        artifacts = self.runs / "artifacts"
        outputs = [*artifacts.glob("*/*/[!.]*/*"), *artifacts.glob("*/*/.system/executor_execution/*")]
        assert not [folder for folder in outputs if folder.name not in ended]
        assert not list(artifacts.glob("*/*/.system/stateful_working_dir/*"))
        assert not list((self.runs / "checkpoints").glob("*"))
        self._check_serving(store)

    def _check_serving(self, store: Any) -> None:
        versions = {str(path) for path in _versions(self.serving)}
        assert {path.name for path in self.serving.iterdir()} == {Path(path).name for path in versions}
        recorded = {
            metadata.property_value(artifact, "pushed_destination")
            for artifact in store.get_artifacts_by_type("PushedModel")
            if metadata.property_value(artifact, "pushed") == 1
        }
        assert versions == recorded, "ML Metadata knows every served version, and no other"
        import tensorflow as tf

        for version in versions:
            assert f.SERVE_IMAGES in tf.saved_model.load(version).signatures


def chain(runs: Runs, hows: list[str], draw: random.Random, span: float, figures: Figures) -> None:
    """Kill the runs so often, or until one ends by itself; then let it end and see whether all is as it must be."""
    watcher = Watcher(runs.serving)
    watcher.start()
    for how in hows:
        stage = runs.kill(how, draw, span)
        if stage is None:
            break
        figures.stages[stage] += 1
    runs.finish()
    watcher.end()
    assert not watcher.faults, watcher.faults[:3]
    assert watcher.looks > 100
    runs.check()
    figures.chains += 1
    figures.resumed += runs.resumed()
    figures.looks += watcher.looks
