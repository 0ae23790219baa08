"""A network of the user's own: what is refused, and that all that holds for the built-in one holds for it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.contracts import features as f
from components.contracts import training as records
from components.errors import UserError
from components.trainer import checkpoint, networks, train
from components.trainer.networks import from_file
from tests.trainer.conftest import Data, settings_of

NETWORKS = Path(__file__).with_name("my_networks.py")
SMALL_CNN = f"{NETWORKS}:small_cnn"


def written(folder: Path, text: str) -> str:
    """A file with the function `network` that does what `text` says; what `trainer.network` calls it."""
    (folder / "mine.py").write_text(f"import keras\n\n\ndef network(shape, classes):\n    {text}\n")
    return f"{folder / 'mine.py'}:network"


def build(name: str, classes: int = 10) -> keras.Sequential:
    settings = settings_of(network=name, network_code=networks.source(name))
    return networks.find(settings).build(settings, classes)


@pytest.mark.parametrize(
    ("content", "function", "message"),
    [
        (None, "f", "cannot read {}: No such file"),
        (b"def f(:\n", "f", "{}, line 1: "),
        (b"x = '\xff'\n", "f", "{} is not a Python file"),
        (b"def f():\n  pass\ndef g():\n  pass\n", "h", "{} has no function 'h'; it has f, g"),
        (b"f = len\n", "f", "{} has no function 'f'; it has none"),
        (b"import layers\ndef f():\n  pass\n", "f", "{} imports layers, another file of yours"),
        (
            b"def f():\n  from . import layers\n",
            "f",
            "{} imports ., another",
        ),
        (b"def f():\n  pass\n" + b"#" * 70_000, "f", "{} has 70,016 bytes, more than 65,536"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_runs(
    content: bytes | None, function: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "layers.py").write_text("")
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        networks.source(f"{path}:{function}")
    assert str(raised.value).startswith("trainer.network: " + message.format(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return None", "returned NoneType, not a keras.Sequential"),
        ("raise KeyError('no\\n such')", "line 5: KeyError: "),
        ("return keras.Sequential([keras.layers.Dense(0 / 0)])", "line 5: ZeroDivisionError: division by zero"),
        (
            "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])",
            "gives (3,) an image, not one logit",
        ),
        (
            "return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])",
            "takes (None, 8, 8, 3), not any number of images of",
        ),
        ("return keras.Sequential([keras.layers.Conv1D(3, 2)])", "ValueError: "),
        (
            "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(classes, activation='softmax')])",
            "ends with an activation, but the loss takes logits",
        ),
        (
            "m = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(classes)]); m.compile('sgd'); return m",
            "returned a compiled model; leave compile() out",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_function_that_returns_no_network_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    name = written(tmp_path, text)
    with pytest.raises(UserError) as raised:
        build(name)
    assert str(raised.value).startswith(f"trainer.network {name}: {message}")
    assert "\n" not in str(raised.value)


def test_a_network_ends_with_logits_that_can_be_scaled(tmp_path: Path) -> None:
    model = build(SMALL_CNN)
    assert model.output_shape == (None, 10)
    assert model.get_layer("logits").scale == 1.0
    unbuilt = build(written(tmp_path, "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(classes)])"))
    assert unbuilt.input_shape == (None, 32, 32, 3)


def test_its_code_is_in_the_key_and_not_the_time_of_its_file(tmp_path: Path) -> None:
    def key() -> str:
        return checkpoint.key("", settings_of(network=name, network_code=networks.source(name)), "float32")

    name = written(tmp_path, "return keras.Sequential([keras.layers.Dense(classes)])")
    before = key()
    Path(name.partition(":")[0]).touch()
    assert key() == before
    written(tmp_path, "return keras.Sequential([keras.layers.Dense(classes, use_bias=False)])")
    assert key() != before


def test_one_file_is_run_once_however_often_it_is_built(tmp_path: Path) -> None:
    name = written(tmp_path, "global count; count += 1; return count")
    path = Path(name.partition(":")[0])
    path.write_text(path.read_text() + "\n\ncount = 0\n")
    code = networks.source(name)
    assert [from_file._function(name, code)((), 0) for _ in range(3)] == [1, 2, 3]


def own(**changes: Any) -> dict[str, Any]:
    return {
        "network": SMALL_CNN,
        "network_code": NETWORKS.read_text(),
        "learning_rate": 0.001,
        "width": 32,
        "epochs": 3,
        **changes,
    }


@pytest.mark.slow
def test_it_learns_resumes_to_the_bit_begins_warm_and_is_served(
    digits: Data, tmp_path: Path, test_examples: list[bytes]
) -> None:
    """With Dropout and BatchNormalization, whose state is neither weight nor momentum."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train.run_fn(digits.fn_args(whole, **own(checkpoints=str(whole / "checkpoints"))))

    def press(text: str) -> None:
        if text.startswith("epoch 2/3, step"):
            progress.listen(None)
            signal.raise_signal(signal.SIGINT)

    kept = str(stopped / "checkpoints")
    progress.listen(press)
    try:
        with pytest.raises(KeyboardInterrupt, match="of 63"):
            train.run_fn(digits.fn_args(stopped, **own(checkpoints=kept)))
    finally:
        progress.listen(None)
    train.run_fn(digits.fn_args(stopped, **own(checkpoints=kept)))
    weights = [keras.saving.load_model(out / "run" / records.MODEL_FILE).get_weights() for out in (whole, stopped)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert "small_cnn" not in (whole / "run" / records.SUMMARY_FILE).read_text()

    serve = tf.saved_model.load(str(whole / "serving")).signatures[f.SERVING_DEFAULT]
    answers = serve(examples=tf.constant(test_examples))
    labels = [
        tf.train.Example.FromString(example).features.feature[f.LABEL].int64_list.value[0] for example in test_examples
    ]
    assert np.mean(answers[f.CLASS_INDEX].numpy() == labels) > 0.6

    arguments = digits.fn_args(tmp_path / "warm", **own(epochs=1, learning_rate=1e-12))
    arguments.base_model = str(whole / "serving")
    train.run_fn(arguments)
    warm = keras.saving.load_model(tmp_path / "warm" / "run" / records.MODEL_FILE)
    for before, after in zip(weights[0], warm.get_weights(), strict=True):
        if before.ndim > 1:
            np.testing.assert_allclose(after, before, atol=1e-6)
    refused = digits.fn_args(tmp_path / "refused")
    refused.base_model = arguments.base_model
    with pytest.raises(UserError, match="--warm-start: the architecture of the blessed model"):
        train.run_fn(refused)
