"""Every key says what it means; tests/test_docs.py holds the page that is made of the same words."""

from __future__ import annotations

import pytest

from components.errors import UserError
from pipeline import config_reference
from pipeline.cli import main
from pipeline.config import Config, flatten


def test_every_key_has_a_meaning_and_is_found() -> None:
    keys = {key.name: key for key in config_reference.all_keys()}
    values = flatten(Config().model_dump(mode="json"))
    assert all(key.meaning and key.values for key in keys.values())
    assert {next(key for key in keys if name == key or name.startswith(f"{key}.")) for name in values} <= set(keys)
    for name in values:
        assert config_reference.explain(name, values, dict.fromkeys(values, "default"))


def test_a_key_is_explained_with_its_value_range_and_marks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--explain", "trainer.epochs", "--set", "trainer.epochs=3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "trainer.epochs: 3  # --set",
        "  Passes over the training split.",
        "  values: whole number at least 1; default: 10",
        "  run parameter: it can differ from run to run of one compiled pipeline on Vertex AI",
        "  tunable: the Tuner can search it: `tuner.space`",
    ]


def test_a_section_is_explained_by_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--explain", "data.splits"]) == 0
    first, *keys = capsys.readouterr().out.splitlines()
    assert first == "  Shares of the images where the source gives no splits."
    assert [line.split()[0] for line in keys] == ["data.splits.train", "data.splits.validation", "data.splits.test"]


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(UserError, match=r"unknown config key 'trainer.epoch'; did you mean trainer.epochs\?"):
        config_reference.explain("trainer.epoch", {}, {})
