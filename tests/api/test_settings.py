"""Settings as keyword arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import image_pipeline as ip
from pipeline import ROOT


def test_importing_the_api_loads_nothing_heavy() -> None:
    code = "import sys, image_pipeline; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert {name for name in loaded if not name.startswith("_")} == {"components", "image_pipeline"}


def test_no_function_has_the_name_of_a_module() -> None:
    modules = {path.stem for path in (ROOT / "image_pipeline").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(ip.__all__)


def test_keywords_are_settings(tmp_path: Path) -> None:
    settings = ip.config(
        "digits", epochs=3, trainer={"width": 8}, settings={"data.max_side": 99}, run_dir=tmp_path, learning_rate=1e-5
    )
    assert settings.loc["trainer.epochs", "value"] == 3
    assert settings.loc["trainer.width", "value"] == 8
    assert settings.loc["data.max_side", "value"] == 99
    assert settings.loc["trainer.learning_rate", "value"] == 1e-5
    assert settings.loc["run_dir", "value"] == str(tmp_path)
    assert settings.loc["trainer.epochs", "origin"] == "argument"
    assert settings.loc["seed", "origin"] == "default"
    assert list(settings.columns) == ["value", "origin", "meaning"]


def test_a_file_and_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("trainer: {epochs: 7, width: 4}\n")
    settings = ip.config("digits", preset="digits", config=file, width=5)
    assert settings.loc["trainer.epochs", ["value", "origin"]].tolist() == [7, str(file)]
    assert settings.loc["trainer.width", "value"] == 5


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"epoch": 3}, "unknown argument 'epoch'; did you mean epochs?"),
        ({"keep": 3}, "keep= is trainer.keep or serving.keep; write trainer={'keep': …}"),
        ({"trainer": 3}, "trainer=3: a section takes a mapping of its keys, as trainer={'network': …}"),
        ({"seed": {"a": 1}}, "seed={'a': 1}: a value, not a mapping"),
        ({"epochs": "x"}, "config key 'trainer.epochs' = 'x' (argument): input should be a valid integer"),
        ({"trainer": {"epoch": 3}}, "unknown config key 'trainer.epoch' (argument); did you mean trainer.epochs?"),
        ({"settings": {"trainer.epoch": 3}}, "unknown config key 'trainer.epoch' (argument)"),
        ({"qqqq": 3}, "unknown argument 'qqqq'; `config()` lists all settings"),
    ],
)
def test_a_mistake_is_named(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(ip.UserError) as raised:
        ip.config("digits", **keywords)
    assert str(raised.value).startswith(message)
    assert raised.value._render_traceback_() == [f"UserError: {raised.value}"]


def test_a_run_is_no_name_of_a_model() -> None:
    with pytest.raises(ip.UserError, match=r"a Run answers by its own predict\(\)"):
        ip.load(object())
