"""Ablations of the recipe: trainings with one thing changed, compared on validation images.

usage: image-pipeline run --data ARCHIVE --preset cifar10-fast --run-dir DIR --to Transform
       python -m benchmarks.ablations --run-dir DIR [--seeds N …] [--set trainer.KEY=VALUE]… [--variants NAME …]

A line a training: accuracies on validation images, and the calibrated cross entropy over six views.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import benchmarks.common  # noqa: F401 (TensorFlow's log)

if TYPE_CHECKING:
    import tensorflow as tf

    from components.trainer.config import Settings
    from components.trainer.train import Inputs


# ---------------------------------------------------------------------------------------------------- what is changed
def _normalised(kernel: tf.Tensor, _: int) -> tf.Tensor:
    import tensorflow as tf

    return kernel * (tf.sqrt(float(kernel.shape[-1])) / (tf.norm(kernel) + 1e-7))


def _tossed(settings: Settings, part: slice) -> Any:
    """Flip at random in place of the alternating flip: numbers are drawn for each step."""
    import tensorflow as tf

    from components.trainer.augment import Augmenter

    class Tossed(Augmenter):
        def apply(self, batch: Any, normalise: Any) -> Any:
            seed = tf.stack([tf.constant(77, tf.int64), batch.step])
            drawn = tf.random.stateless_uniform(tf.shape(batch.index), seed, 0, 2**20, tf.int64)
            return super().apply(dataclasses.replace(batch, index=drawn), normalise)

    return Tossed(settings, part)


def _steadier(learning_rate: float, steps: int) -> Any:
    import keras

    from components.trainer.networks import airbench
    from components.trainer.optimizer import Muon

    rate = keras.optimizers.schedules.PolynomialDecay(learning_rate, steps, 0.0)
    return Muon(rate, momentum=0.9, vector_rate=airbench._VECTOR_RATE, matrix_rate=airbench._MATRIX_RATE)


def _layer(name: str, *args: Any) -> Any:
    import keras

    return getattr(keras.layers, name)(*args)


# By name, the settings that are changed.
SETTINGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no moves": {"translate": 0},
    "no label smoothing": {"label_smoothing": 0.0},
    "cutout": {"cutout": 8},
    "mixup": {"mixup": 0.2},
    "cutmix": {"cutmix": 1.0},
    "depth 3": {"depth": 3},
}
# By name, what is replaced in components.trainer, and what stands in for it.
PARTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "random stem": ("networks.airbench.prepare", lambda *_: None),
    "not orthogonal": ("optimizer.orthogonalised", _normalised),
    "momentum 0.9": ("networks.airbench.optimizer", _steadier),
    "coin": ("input.Augmenter", _tossed),
    "no Dirac": ("networks.airbench.Dirac", lambda _: "he_normal"),
    "mean pooling": ("networks.airbench.layers.GlobalMaxPooling2D", lambda: _layer("GlobalAveragePooling2D")),
    "GELU": ("networks.airbench.layers.ReLU", lambda: _layer("Activation", "gelu")),
}
NAMES = [*SETTINGS, *PARTS]


# ---------------------------------------------------------------------------------------------------- trainings
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", required=True, help="with a run up to Transform")
    parser.add_argument("--preset", default="cifar10-fast")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of `pipeline run`")
    parser.add_argument("--variants", nargs="+", default=NAMES, choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    args = parser.parse_args()

    from components.errors import UserError

    try:
        settings, inputs = _read(args.preset, (f"run_dir={args.run_dir}", *args.set))
    except UserError as error:
        sys.exit(str(error))
    print(f"{'changed':<20}{'seed':>5}{'1 view':>8}{'2 views':>9}{'6 views':>9}{'cross entropy':>15}{'seconds':>9}")
    for name in args.variants:
        for seed in args.seeds:
            one_view, two_views, six_views, cross_entropy, seconds = measured(name, seed, settings, inputs)
            print(
                f"{name:<20}{seed:>5}{one_view:>8.2%}{two_views:>9.2%}{six_views:>9.2%}{cross_entropy:>15.4f}{seconds:>9.0f}",
                flush=True,
            )


def measured(name: str, seed: int, settings: Settings, inputs: Inputs) -> tuple[float, ...]:
    """One training: accuracies over 1, 2 and 6 views, the cross entropy over 6, and seconds with compiling."""
    import keras
    import tensorflow as tf

    from components.trainer import input as data
    from components.trainer import train
    from components.trainer.calibration import calibrate
    from components.trainer.model import over_views

    tf.get_logger().setLevel("ERROR")  # many models in one process are traced many times
    settings = settings.model_copy(update={"seed": seed, **SETTINGS.get(name, {})})
    where, stand_in = PARTS.get(name, ("", None))
    began = time.monotonic()
    with mock.patch(f"components.trainer.{where}", stand_in) if where else contextlib.nullcontext():
        state = train.train(inputs, settings, tf.distribute.get_strategy(), None)
    seconds = time.monotonic() - began
    accuracies = []
    cross_entropy = keras.metrics.CategoricalCrossentropy("cross_entropy", from_logits=True)
    for views in (1, 2, 6):
        batches = data.validation_batches(inputs.validation, state.plan)
        network = over_views(state.model, views)
        calibrate(network, batches)
        network.compile(loss="mse", weighted_metrics=["accuracy", cross_entropy])  # a loss is demanded, and not used
        judged = network.evaluate(batches, verbose=0, return_dict=True)
        accuracies.append(judged["accuracy"])
    return (*accuracies, judged["cross_entropy"], seconds)


def _read(preset: str, changed: tuple[str, ...]) -> tuple[Settings, Inputs]:
    from components.errors import UserError
    from components.trainer import train
    from components.trainer.config import Settings
    from pipeline import config as configs
    from pipeline.tracking import metadata

    config, _ = configs.load(preset, None, changed)
    _, stages = next(metadata.own_runs(config), (None, {}))
    examples = metadata.latest_live(stages, "ExampleGen", "examples")
    graph = metadata.latest_live(stages, "Transform", "transform_graph")
    if examples is None or graph is None:
        raise UserError(f"the latest run in {config.run_dir} has not come to Transform: see --help for the command")
    settings = Settings(**config.trainer.model_dump(), size=config.transform.size, seed=0)
    files = SimpleNamespace(
        transform_graph_path=graph.uri,
        train_files=[f"{examples.uri}/Split-train/*"],
        eval_files=[f"{examples.uri}/Split-validation/*"],
        base_model=None,
    )
    return settings, train.read(files, settings)


if __name__ == "__main__":
    main()
