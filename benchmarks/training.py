"""Accuracy and training time of each preset, and of the CNN of TensorFlow's tutorial on the same images.

usage: CIFAR10_JPEG=cifar10-jpeg.tar.gz python -m benchmarks.training [--presets NAME ...] [--seeds N ...]
       [--set KEY=VALUE]... [--no-tutorial] [--keep FOLDER]

Each training is `image-pipeline run --preset NAME --to Evaluator` in a process of its own, one after the other; the
accuracy is the Evaluator's, on the test split, through the exported model.

    train s    seconds of all training steps, waiting for data included
    stage s    of the whole Trainer stage: reading, tracing, validation and export included
    images/s trained
    of peak    the arithmetic of training a second, as a share of the fastest convolution measured here
    answer ms  for one image of raw pixels, median; in brackets, for each of 256 at once

The tutorial: https://www.tensorflow.org/tutorials/images/cnn (Adam, batches of 32, 10 epochs, pixels over 255).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import common
from components.contracts import training

TUTORIAL = "tutorial CNN"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="*", default=["digits", "cifar10-fast", "cifar10", "cifar10-best"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of `pipeline run`")
    parser.add_argument("--no-tutorial", action="store_true", help="leave out what it is compared with")
    parser.add_argument("--keep", type=Path, help="where the runs are kept; a temporary folder if not given")
    args = parser.parse_args()
    if not args.no_tutorial or any(name.startswith("cifar10") for name in args.presets):
        common.archive()  # fail now if it is missing
    with tempfile.TemporaryDirectory() as folder:
        work = args.keep or Path(folder)
        peaks = _peaks()
        print("fastest convolution here: " + ", ".join(f"{peak / 1e9:.0f} GFLOP/s in {n}" for n, peak in peaks.items()))
        print(
            f"{'':<14}{'seed':>5}{'accuracy':>10}{'train s':>9}{'stage s':>9}{'images/s':>12}{'of peak':>9}  answer ms"
        )
        for name in args.presets:
            _show(name, [_preset(name, seed, args.set, work, peaks) for seed in args.seeds], args.seeds)
        if not args.no_tutorial:
            examples = _examples(work, args.seeds[0])
            _show(TUTORIAL, [_tutorial(examples, seed, peaks) for seed in args.seeds], args.seeds)


# ---------------------------------------------------------------------------------------------------- a training
def _preset(name: str, seed: int, changed: list[str], work: Path, peaks: dict[str, float]) -> dict[str, Any]:
    settings = [f"seed={seed}", "evaluator.min_accuracy=0", "evaluator.min_class_recall=0", *changed]
    result = _run(name, work, "Evaluator", *settings)
    trainer = Path(result["artifacts"]) / "Trainer"
    newest = max((trainer / "model").iterdir(), key=lambda path: int(path.name))
    record = trainer / "model_run" / newest.name
    epochs = training.read(str(record)).epochs
    seconds = sum(epoch.seconds for epoch in epochs)
    speed = sum(epoch.seconds * epoch.pictures_per_second for epoch in epochs) / seconds

    import keras
    import tensorflow as tf

    import components.trainer.layers  # noqa: F401 (what it registers is in the model)
    from components.trainer import precision

    used = precision.choose("auto", tf.distribute.get_strategy())
    model = keras.saving.load_model(record / training.MODEL_FILE)
    single, many = _latency(str(newest / "Format-Serving"))
    return {
        "accuracy": result["metrics"]["accuracy"]["value"],
        "seconds": seconds,
        "stage": result["seconds"]["Trainer"],
        "speed": speed,
        "share": speed * training_flops(model) / peaks[used],
        "answer": f"{single:.1f} ({many:.2f})",
    }


def _run(preset: str, work: Path, last_stage: str, *settings: str) -> dict[str, Any]:
    """Run the pipeline and return what `run --json` prints; CIFAR-10 comes from CIFAR10_JPEG."""
    data = ["--data", common.archive()] if preset.startswith("cifar10") else []
    options = ["--preset", preset, "--to", last_stage, "--run-dir", str(work)]
    options += [f"--set={setting}" for setting in settings]
    return json.loads(common.pipeline("run", "--json", *data, *options).splitlines()[-1])


def _latency(model: str) -> tuple[float, float]:
    """Milliseconds for one image alone, and for each of 256, from the SavedModel's `serve_tensors`."""
    import tensorflow as tf

    serve = tf.saved_model.load(model).signatures["serve_tensors"]
    times = []
    for count, repeats in ((1, 100), (256, 5)):
        pixels = tf.zeros([count, 32, 32, 3], tf.uint8)
        serve(pixels=pixels)
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            serve(pixels=pixels)["probabilities"].numpy()
            seconds.append((time.perf_counter() - began) / count * 1000)
        times.append(statistics.median(seconds))
    return times[0], times[1]


# ---------------------------------------------------------------------------------------------------- the tutorial
def _examples(work: Path, seed: int) -> Path:
    """ExampleGen's artifact of CIFAR-10: made by the trainings, or now."""
    result = _run("cifar10", work, "ExampleGen", f"seed={seed}")
    return max((Path(result["artifacts"]) / "ExampleGen" / "examples").iterdir(), key=lambda path: int(path.name))


def _tutorial(examples: Path, seed: int, peaks: dict[str, float]) -> dict[str, Any]:
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    images, labels = _images(examples / "Split-train")
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    began = time.perf_counter()
    model.fit(images, labels, batch_size=32, epochs=10, verbose=0)
    seconds = time.perf_counter() - began
    speed = len(images) * 10 / seconds
    return {
        "accuracy": model.evaluate(*_images(examples / "Split-test"), verbose=0)[1],
        "seconds": seconds,
        "stage": seconds,
        "speed": speed,
        "share": speed * training_flops(model) / peaks["float32"],
        "answer": "",
    }


def _images(split: Path) -> tuple[Any, Any]:
    """Pixels over 255, float32 [N, 32, 32, 3], and labels, int64 [N]."""
    import tensorflow as tf

    spec = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}

    def read(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_single_example(record, spec)
        return tf.io.decode_image(example["image"], 3, expand_animations=False), example["label"]

    files = sorted(str(path) for path in split.iterdir())
    records = tf.data.TFRecordDataset(files, "GZIP" if files[0].endswith(".gz") else "")
    images, labels = next(iter(records.map(read, tf.data.AUTOTUNE).batch(1_000_000)))
    return tf.cast(images, tf.float32).numpy() / 255, labels.numpy()


# ---------------------------------------------------------------------------------------------------- arithmetic
def training_flops(model: Any) -> float:
    """Floating-point operations to train on one image: forwards, and twice that backwards where a layer learns.

    Of convolutions and dense layers; all else is little arithmetic, though much memory traffic.
    """
    import keras

    ensembles = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    network = ensembles[0].layers[1] if ensembles else model  # an image of one step trains one network
    total = 0.0
    for layer in network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            positions = 1
            for side in layer.output.shape[1:-1]:
                positions *= side
            total += 2 * positions * kernel.shape.num_elements() * (3 if layer.trainable else 1)
    return total


def _peaks() -> dict[str, float]:
    """Operations a second of the fastest convolution, forwards, by number format."""
    import tensorflow as tf

    peaks = {}
    for kind in (tf.float32, tf.bfloat16):
        peaks[kind.name] = 0.0
        for batch, side, channels in ((256, 16, 64), (256, 16, 128), (128, 8, 256), (512, 16, 256)):
            images = tf.cast(tf.random.normal([batch, side, side, channels]), kind)
            kernel = tf.cast(tf.random.normal([3, 3, channels, channels]), kind)
            run = tf.function(lambda a, b: tf.nn.conv2d(a, b, 1, "SAME")[0, 0, 0, 0])
            run(images, kernel)
            for _ in range(10):
                began = time.perf_counter()
                run(images, kernel).numpy()
                operations = 2 * batch * side**2 * channels**2 * 9
                peaks[kind.name] = max(peaks[kind.name], operations / (time.perf_counter() - began))
    return peaks


def _show(name: str, rows: list[dict[str, Any]], seeds: list[int]) -> None:
    def line(seed: str, row: dict[str, Any]) -> str:
        return (
            f"{name:<14}{seed:>5}{row['accuracy']:>10.2%}{row['seconds']:>9.1f}{row['stage']:>9.1f}"
            f"{row['speed']:>12,.0f}{row['share']:>9.0%}  {row['answer']}"
        )

    for seed, row in zip(seeds, rows):
        print(line(str(seed), row), flush=True)
    if len(rows) > 1:
        keys = ("accuracy", "seconds", "stage", "speed", "share")
        mean = {key: statistics.mean(row[key] for row in rows) for key in keys}
        spread = statistics.stdev(row["accuracy"] for row in rows)
        print(line("mean", {**mean, "answer": f"accuracy's standard deviation {spread:.2%}"}), flush=True)


if __name__ == "__main__":
    main()
