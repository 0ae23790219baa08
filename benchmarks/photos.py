"""Accuracy and cost on photos: the product, frozen features with a logistic regression, and TensorFlow's tutorial CNN.

usage: python -m benchmarks.photos --data FOLDER [--seeds N ...] [--set KEY=VALUE]... [--systems NAME ...]

For each seed the product runs as `image-pipeline run --preset photos`, whole; the others read the examples that its
ExampleGen wrote, so that all have the same splits, and each runs in a process of its own, one after the other.

    product     image-pipeline run --preset photos
    frozen      features of EfficientNet-Lite0, 224 pixels, and scikit-learn's logistic regression, its C chosen on the
                validation split
    tutorial    the CNN of https://www.tensorflow.org/tutorials/images/classification: 180 pixels, augmentation,
                dropout, Adam, batches of 32, 15 epochs

Printed: accuracy on the test split with its 95% interval, seconds, CPU seconds and peak memory of the process; at the
end the product's accuracy beyond each other's on the test images, with its interval, for each seed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import benchmarks.common  # noqa: F401 (TensorFlow's log)
from components import intervals
from components.contracts import features as f
from components.contracts import predictions

if TYPE_CHECKING:
    import tensorflow as tf

SYSTEMS = ("product", "frozen", "tutorial")
CONFIDENCE = 0.95


class Measured(NamedTuple):
    """The test results and the cost of one system with one seed."""

    right: dict[str, bool]  # of each test image, by its source
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Images(NamedTuple):
    """The images of a split at one size: uint8 [N, S, S, 3], int64 [N], str [N]."""

    pixels: np.ndarray
    labels: np.ndarray
    sources: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as of `image-pipeline run`")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the product")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--one", nargs=4, metavar=("SYSTEM", "EXAMPLES", "SEED", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        system, examples, seed, out = args.one
        Path(out).write_text(json.dumps({"frozen": _frozen, "tutorial": _tutorial}[system](Path(examples), int(seed))))
        return
    print(f"{'':<10}{'seed':>5}{'accuracy':>10}  {'interval':<18}{'seconds':>9}{'CPU s':>9}{'peak GB':>9}")
    found: dict[str, list[Measured]] = {system: [] for system in args.systems}
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            product = _product(args.data, seed, args.set, work, None if "product" in args.systems else "ExampleGen")
            examples = _newest(work, "ExampleGen", "examples")
            for system in args.systems:
                measured = product if system == "product" else _other(args.data, system, examples, seed, work)
                found[system].append(measured)
                _show(system, str(seed), measured)
    for system, all_seeds in found.items():
        if len(all_seeds) > 1:
            print(f"{system:<10}{'mean':>5}{np.mean([_accuracy(measured) for measured in all_seeds]):>10.2%}")
    for system in found.keys() - {"product"} if "product" in found else ():
        for seed, ours, theirs in zip(args.seeds, found["product"], found[system]):
            _compare(system, seed, ours, theirs)


# ---------------------------------------------------------------------------------------------------- the systems
def _product(data: str, seed: int, settings: list[str], work: Path, last_stage: str | None) -> Measured:
    options = ["--json", "--preset", "photos", "--data", data, "--run-dir", str(work), "--set", f"seed={seed}"]
    options += [option for setting in settings for option in ("--set", setting)]
    options += ["--to", last_stage] if last_stage else []
    usage = _run("-m", "pipeline", "run", *options)
    found = None if last_stage else predictions.read(str(_newest(work, "ServingCheck", "predictions")))
    right = dict(zip(found.source.tolist(), found.right.tolist())) if found else {}
    return Measured(right, *usage)


def _other(data: str, system: str, examples: Path, seed: int, work: Path) -> Measured:
    out = work / f"{system}.json"
    usage = _run("-m", "benchmarks.photos", "--data", data, "--one", system, str(examples), str(seed), str(out))
    return Measured(json.loads(out.read_text()), *usage)


def _frozen(examples: Path, seed: int) -> dict[str, bool]:
    import tensorflow as tf
    from sklearn.linear_model import LogisticRegression

    from components.trainer import networks
    from components.trainer.config import Settings

    settings = Settings(network="efficientnet_lite0", size=224, seed=seed)
    network, pixels = networks.find(settings), networks.pixels(settings.network)
    assert pixels is not None
    model = network.build(settings, 2)
    network.prepare(model, settings, lambda: tf.zeros([]))

    @tf.function
    def features(images: tf.Tensor) -> tf.Tensor:
        images = (tf.cast(images, tf.float32) - pixels[0]) / pixels[1]
        return tf.reduce_mean(model.layers[0](images, training=False), [1, 2])

    def of(images: Images) -> np.ndarray:
        parts = tf.data.Dataset.from_tensor_slices(images.pixels).batch(32)
        return np.concatenate([features(part).numpy() for part in parts])

    train, validation, test = (_images(examples, split, 224) for split in (f.TRAIN, f.VALIDATION, f.TEST))
    of_train, of_validation = of(train), of(validation)
    regressions = [
        LogisticRegression(C=strength, max_iter=1000).fit(of_train, train.labels)
        for strength in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    ]
    best = max(regressions, key=lambda regression: float(regression.score(of_validation, validation.labels)))
    return dict(zip(test.sources, (best.predict(of(test)) == test.labels).tolist()))


def _tutorial(examples: Path, seed: int) -> dict[str, bool]:
    import keras
    from keras import layers

    size = 180
    keras.utils.set_random_seed(seed)
    train, test = (_images(examples, split, size, antialias=False) for split in (f.TRAIN, f.TEST))
    model = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(int(train.labels.max()) + 1),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(train.pixels, train.labels, batch_size=32, epochs=15, verbose=0)
    predicted = model.predict(test.pixels, verbose=0).argmax(1)
    return dict(zip(test.sources, (predicted == test.labels).tolist()))


def _images(examples: Path, split: str, size: int, antialias: bool = True) -> Images:
    import tensorflow as tf

    spec = {name: tf.io.FixedLenFeature([], kind) for name, kind in
            ((f.IMAGE, tf.string), (f.LABEL, tf.int64), (f.SOURCE, tf.string))}  # fmt: skip

    def read(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        example = tf.io.parse_single_example(record, spec)
        pixels = tf.io.decode_image(example[f.IMAGE], 3, expand_animations=False)
        resized = tf.image.resize(pixels, [size, size], antialias=antialias)
        return tf.saturate_cast(tf.round(resized), tf.uint8), example[f.LABEL], example[f.SOURCE]

    files = sorted(str(path) for path in (examples / f"Split-{split}").iterdir())
    records = tf.data.TFRecordDataset(files, "GZIP" if files[0].endswith(".gz") else "")
    rows = list(records.map(read, tf.data.AUTOTUNE).as_numpy_iterator())
    pixels, labels, sources = (list(column) for column in zip(*rows))
    return Images(np.stack(pixels), np.array(labels), [source.decode() for source in sources])


# ---------------------------------------------------------------------------------------------------- what it cost
def _run(*arguments: str) -> tuple[float, float, int]:
    """Run Python and return the seconds, the CPU seconds of it and its children, and the peak of its memory, bytes."""
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode not in (0, 3):  # 3: a gate refused the model, whose accuracy counts all the same
            log.seek(0)
            sys.exit(f"{' '.join(arguments)} failed:\n{log.read().decode(errors='replace')[-3000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def _newest(work: Path, stage: str, output: str) -> Path:
    folders = work.glob(f"artifacts/*/{stage}/{output}/*")
    return max(folders, key=lambda path: int(path.name))


def _accuracy(measured: Measured) -> float:
    return float(np.mean(list(measured.right.values())))


def _show(system: str, seed: str, measured: Measured) -> None:
    hits, images = sum(measured.right.values()), len(measured.right)
    estimate = intervals.proportion(hits, images, CONFIDENCE)
    interval = f"{estimate.low:.2%} to {estimate.high:.2%}"
    print(
        f"{system:<10}{seed:>5}{estimate.value:>10.2%}  {interval:<18}{measured.seconds:>9.0f}"
        f"{measured.cpu_seconds:>9.0f}{measured.peak_bytes / 1e9:>9.2f}",
        flush=True,
    )


def _compare(system: str, seed: int, product: Measured, other: Measured) -> None:
    """Print the difference for one seed: the test images are largely the same for all seeds, and count once."""
    pairs = [(right, other.right[image]) for image, right in product.right.items()]
    gained, lost = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    low, high = intervals.paired_difference(gained, lost, len(pairs), CONFIDENCE)
    print(
        f"product beyond {system}, seed {seed}: {(gained - lost) / len(pairs):+.2%} ({low:+.2%} to {high:+.2%}) "
        f"of {len(pairs)} images: right alone {gained} and {lost}, p = {intervals.mcnemar(gained, lost):.2g}"
    )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
