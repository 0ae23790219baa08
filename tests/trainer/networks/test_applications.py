"""The networks of keras.applications compute what Keras' own do, and train the layers that are asked for."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving import legacy_h5_format

from components import files
from components.errors import UserError
from components.trainer import loop, networks, precision
from components.trainer.networks import applications, pretrained
from tests.trainer.conftest import plan_of

NAMES = ("mobilenet_v3_large", "efficientnetv2_b0", "convnext_tiny", "resnet50")
MODULES = {
    "mobilenet_v3_large": ("mobilenet_v3", "MobileNetV3Large", "large_224_1.0_float", "BASE_WEIGHT_PATH"),
    "efficientnetv2_b0": ("efficientnet_v2", "EfficientNetV2B0", "b0", "BASE_WEIGHTS_PATH"),
    "convnext_tiny": ("convnext", "ConvNeXtTiny", "convnext_tiny", "BASE_WEIGHTS_PATH"),
    "resnet50": ("resnet", "ResNet50", "resnet50", "BASE_WEIGHTS_PATH"),
}
FIRST_OF_LAST = {  # the layer from which on `fine_tune: last` trains
    "mobilenet_v3_large": "expanded_conv_3_depthwise",
    "efficientnetv2_b0": "block3a_",
    "convnext_tiny": "downsampling_block_0",
    "resnet50": "conv3_block1",
}
SIZE = 32
CLASSES = 5


def module_of_keras(name: str) -> Any:
    return importlib.import_module(f"keras.src.applications.{MODULES[name][0]}")


def of_keras(name: str) -> keras.Model:
    """Return Keras' own network, which normalises pixels itself where it can, with weights that all differ."""
    model = getattr(module_of_keras(name), MODULES[name][1])(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.1 * rng.random(w.shape) if w.ndim == 1 else w for w in model.get_weights()])
    return model


def publish(model: keras.Model, path: Path) -> Path:
    """Write the weights as those are published that Keras downloads: its older format, by the order of the layers."""
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def plan(name: str, **changes: Any) -> Any:
    return plan_of(
        **{"classes": CLASSES, "network": name, "size": SIZE, "batch_size": 8, "learning_rate": 0.001, **changes}
    )


def built(name: str, path: Path | None = None, **changes: Any) -> keras.Sequential:
    file = {"weights": str(path), "weights_file": str(path), "weights_sha256": files.sha256(str(path))} if path else {}
    settings = plan(name, **{"weights": "none", "fine_tune": "all", **file, **changes}).settings
    recipe = networks.find(settings)
    model = recipe.build(settings, CLASSES)
    recipe.prepare(model, settings, lambda: tf.zeros([]))
    return model


def pixels(count: int = 8) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_the_address_and_the_hash_are_those_of_keras(name: str) -> None:
    of_file, pretraining = module_of_keras(name), networks.traits(name).pretraining
    assert pretraining is not None
    hashed = of_file.WEIGHTS_HASHES[MODULES[name][2]][1]
    assert hashed == (pretraining.sha256 or pretraining.md5)
    assert pretraining.source.startswith(getattr(of_file, MODULES[name][3]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_features_are_those_of_keras_and_the_asked_layers_are_trained(name: str, tmp_path: Path) -> None:
    """Compare features of the same file and pixels, normalised by Transform here and by Keras there."""
    source = of_keras(name)
    expected = source(module_of_keras(name).preprocess_input(pixels().copy()), training=False)
    pretraining = networks.traits(name).pretraining
    assert pretraining is not None
    model = built(name, publish(source, tmp_path / "weights.h5"))
    body = model.layers[0]
    normalised = ((pixels() - pretraining.mean) / pretraining.deviation).astype(np.float32)
    features = keras.Sequential(model.layers[:-3])(normalised, training=False)
    assert features.shape == expected.shape
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))
    assert model.count_params() == source.count_params() + features.shape[1] * CLASSES + CLASSES

    trained = {"all": len(body.trainable_variables)}
    before = model.get_weights()
    model(normalised, training=True)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True)), "no statistics change"
    for fine_tune in ("last", "none"):
        pretrained.freeze(body, fine_tune)
        trained[fine_tune] = len(body.trainable_variables)
        assert all(x.rate == 0 for x in body.layers if isinstance(x, keras.layers.Dropout) and not x.trainable)
        if fine_tune == "last":
            first = next(layer for layer in body.layers if layer.trainable_variables)
            assert FIRST_OF_LAST[name] in first.name
    assert trained["none"] == 0 < trained["last"] < trained["all"]

    # All that is drawn comes from the seed, not from the generator of the process, which other threads use too.
    seeds = [seed for layer in model._flatten_layers(include_self=False) for seed in seeds_of(layer)]
    assert len(seeds) > 50 or name == "convnext_tiny"
    assert None not in seeds
    assert len(set(seeds)) == len(seeds)


def seeds_of(layer: keras.Layer) -> list[int | None]:
    if isinstance(layer, keras.Model):
        return []
    config = layer.get_config()
    parts = [config, *(value["config"] for value in config.values() if isinstance(value, dict) and "config" in value)]
    return [part["seed"] for part in parts if "seed" in part]


@pytest.mark.slow
def test_the_file_of_another_network_is_refused(tmp_path: Path) -> None:
    name = "mobilenet_v3_large"
    source = applications._of_keras(plan(name).settings)
    source.save_weights(tmp_path / "mine.weights.h5")
    model = built(name, tmp_path / "mine.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), source.get_weights())), "Keras' newer format"

    def prepare(path: Path, **changes: Any) -> None:
        named = {"weights": str(path), "weights_file": str(path), "weights_sha256": files.sha256(str(path)), **changes}
        applications.prepare(model, plan(name, **named).settings, lambda: tf.zeros([]))

    path = publish(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]), tmp_path / "dense.h5")
    with pytest.raises(UserError, match=r"dense\.h5 does not hold the weights of mobilenet_v3_large without its top"):
        prepare(path)
    path.write_text("no weights")
    with pytest.raises(UserError, match=r"trainer\.weights: cannot read .*dense\.h5: "):
        prepare(path)
    path = path.rename(tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"weights\.pth does not hold"):
        prepare(path)
    with pytest.raises(UserError, match=r"weights\.pth: it is not the file that was expected: its hash differs"):
        prepare(path, weights_sha256="0" * 64)


@pytest.mark.slow
def test_the_step_with_dropout_is_one_program_for_xla() -> None:
    """As a TPU compiles it, the optimizer and the state of Dropout in it; the other networks were compiled by hand."""
    name = "efficientnet_lite0"
    with precision.computing_in("bfloat16"):
        model = built(name, fine_tune="none")
        assert len(model.trainable_variables) > 100, "all of it, as its weights are random"
        optimizer = pretrained.optimizer(0.001, 10)
        optimizer.build(model.trainable_variables)
    images, labels = tf.zeros([8, SIZE, SIZE, 3]), tf.one_hot(np.arange(8) % CLASSES, CLASSES)
    step = loop.training_step(model, optimizer, plan(name, weights="none"), replicas=1)
    program = tf.function(step, jit_compile=True).experimental_get_compiler_ir(images, labels)(stage="hlo")
    assert "ENTRY" in program
