"""A run across the boundary is what it is in one process: its screen, its answers, its refusals, its interrupts."""

from __future__ import annotations

import dataclasses
import inspect
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import image_pipeline as ip
from pipeline import ROOT
from tests.api.runs import SMALL
from tests.datasets import write_folder

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Made:
    """A run in a worker, and the same run as this process finds it."""

    remote: Any
    run: Any
    printed: str
    here: ip.Run
    data: Path
    run_dir: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("boundary")
    data = write_folder(root / "images", train=20, test=10)
    screen = io.StringIO()
    with ip.remote(sys.executable) as remote:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            run = remote.run(data, run_dir=root / "out", settings=SMALL, epochs=1)
        yield Made(remote, run, screen.getvalue(), ip.find_run(run_dir=root / "out"), data, root / "out")


def test_its_screen_is_shown_here_and_the_log_stays_there(made: Made) -> None:
    lines = made.printed.splitlines()
    stages = [words[0] for line in lines if (words := line.split())[1:2] == ["done"] and line.startswith("  ")]
    assert stages[0] == "ExampleGen"
    assert len(stages) == len(set(stages)) == 12
    assert sum(line.startswith("pushed    version 1") for line in lines) == 1
    assert len(lines) < 40
    assert "INFO" not in Path(made.remote.log).read_text()


def test_its_answers_are_the_same_on_both_sides(made: Made) -> None:
    for name in ("metrics", "history", "confusion", "classes", "calibration"):
        pd.testing.assert_frame_equal(getattr(made.run, name), getattr(made.here, name))
    for name in ("id", "state", "why", "pushed", "result", "config", "report", "log", "summary", "model_file"):
        assert getattr(made.run, name) == getattr(made.here, name)
    assert repr(made.run) == repr(made.here)
    assert made.run._repr_mimebundle_() == made.here._repr_mimebundle_()
    pd.testing.assert_frame_equal(made.remote.runs(run_dir=made.run_dir), ip.runs(run_dir=made.run_dir))
    assert np.array_equal(np.asarray(made.run.augmentation), np.asarray(made.here.augmentation))


def test_a_notebook_is_told_how_a_method_is_called(made: Made) -> None:
    assert inspect.signature(made.run.images) == inspect.signature(made.here.images)
    assert made.run.images.__doc__ == made.here.images.__doc__
    assert inspect.signature(made.remote.compare) == inspect.signature(ip.compare)


def test_images_arrive_and_are_predicted_however_they_are_given(made: Made) -> None:
    gallery, same = made.run.images("test", 3), made.here.images("test", 3)
    assert len(gallery) == len(list(gallery)) == 3
    pd.testing.assert_frame_equal(gallery[:2].frame, same[:2].frame)
    image = gallery[0].image
    assert isinstance(image, Image.Image)
    assert image.tobytes() == same[0].image.tobytes()
    path = made.data / "test" / gallery[0].label / Path(gallery[0].source).name
    model = made.remote.load(run_dir=made.run_dir)
    frames = [model.predict(x) for x in (image, np.asarray(image), path, path.read_bytes(), [image])]
    frames.append(made.run.predict(image))
    for frame in frames:
        assert frame["predicted"].tolist() == frames[0]["predicted"].tolist()
        assert frame["confidence"].tolist() == pytest.approx(frames[0]["confidence"].tolist(), abs=1e-6)


def test_runs_are_compared(made: Made) -> None:
    compared = made.remote.compare(made.run, made.run.id, run_dir=made.run_dir)
    same = ip.compare(made.here, made.here.id, run_dir=made.run_dir)
    pd.testing.assert_frame_equal(compared.metrics, same.metrics)
    assert (compared.mcnemar, compared.text) == (same.mcnemar, same.text)


def test_what_cannot_cross_says_what_to_do(made: Made) -> None:
    with pytest.raises(ip.UserError, match=r"^Run\.model is a keras Sequential, which lives in .*`predict\(\)` asks"):
        _ = made.run.model
    with pytest.raises(ip.UserError, match=r"^Run\.dataset\(\) is a tf\.data\.Dataset, which .*`images\(\)` and"):
        made.run.dataset("train")


def test_what_the_gate_found_arrives_with_its_refusal(made: Made, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "images", train=20, test=10)
    for number in range(5):
        (data / "train" / "one" / f"{number:04d}.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    with pytest.raises(ip.GateRefused) as raised:
        made.remote.run(data, run_dir=tmp_path / "out", settings=SMALL)
    assert raised.value.run.state == "refused"
    same = ip.find_run(run_dir=tmp_path / "out")
    assert raised.value.findings == [dict(finding) for finding in same.result["findings"]]
    assert repr(raised.value.run.findings) == repr(same.findings)


def test_ctrl_c_ends_the_run_with_its_result(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            if "Transform" in text:  # has ended, and the Trainer begins
                os.kill(os.getpid(), signal.SIGINT)
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Screen())
    with pytest.raises(KeyboardInterrupt, match="interrupted by Ctrl-C") as raised:
        made.remote.run(made.data, run_dir=made.run_dir, settings=SMALL, epochs=100_000)
    assert raised.value.run.state == "interrupted"
    assert made.run.state == "pushed", "the worker is there"


def test_a_run_whose_parent_is_killed_ends_as_by_sigterm(made: Made) -> None:
    code = f"""
import image_pipeline as ip
ip.remote({sys.executable!r}).run({str(made.data)!r}, run_dir={str(made.run_dir)!r}, settings={SMALL!r}, epochs=200_000)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        next(line for line in parent.stdout if "Transform" in line)
        parent.kill()
    result = max((made.run_dir / "runs").iterdir()) / "result.json"
    end = time.monotonic() + 60
    while not result.exists() or (made.run_dir / "lock").read_text():
        assert time.monotonic() < end
        time.sleep(0.1)
    assert json.loads(result.read_text())["exit_code"] == 143
