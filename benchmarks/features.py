"""Cross-validated accuracy of a pretrained network's features at several sizes and proportions of the input.

usage: python -m benchmarks.features --data FOLDER [--network NAME] [--sizes N ...] [--fits NAME ...]

FOLDER has a folder a class (or `train` and `test` with one each, which are put together). A logistic regression is
fitted on the features of four fifths of the images and tested on the rest, five times, so that every image is tested
once: scikit-learn, C = 0.1 on the network's features as they are. Sizes are compared with the first fit, and fits at
the first size. A line a setting: accuracy, its 95% interval, and CPU milliseconds an image for the features alone.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

import numpy as np

import benchmarks.common  # noqa: F401 (TensorFlow's log)
from components import intervals

SUFFIXES = (".jpg", ".jpeg", ".png")
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", default="efficientnet_lite0")
    parser.add_argument("--sizes", nargs="+", type=int, default=[224, 160, 192, 288])
    parser.add_argument("--fits", nargs="+", default=["squash", "crop", "pad"])
    args = parser.parse_args()
    files = sorted(path for path in args.data.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = sorted({path.parent.name for path in files})
    labels = np.array([names.index(path.parent.name) for path in files])
    print(f"{len(files):,} images, {len(names)} classes: {args.network}")
    print(f"{'size':>5}  {'fit':<8}{'accuracy':>9}  {'interval':<18}{'CPU ms an image':>16}")
    size, fit = args.sizes[0], args.fits[0]
    for setting in [*((size, fit) for size in args.sizes), *((size, fit) for fit in args.fits[1:])]:
        features, milliseconds = _features(args.network, files, *setting)
        right = _tested(features, labels)
        estimate = intervals.proportion(int(right.sum()), len(right), 0.95)
        interval = f"{estimate.low:.2%} to {estimate.high:.2%}"
        print(
            f"{setting[0]:>5}  {setting[1]:<8}{estimate.value:>9.2%}  {interval:<18}{milliseconds:>16.1f}", flush=True
        )


def _features(name: str, files: list[Path], size: int, fit: str) -> tuple[np.ndarray, float]:
    """Return features, float32 [N, F], and what they took."""
    import keras
    import tensorflow as tf

    from components.trainer import networks
    from components.trainer.config import Settings
    from components.transform.preprocessing import decode

    settings = Settings(network=name, size=size, seed=0)
    network, pixels = networks.find(settings), networks.pixels(name)
    assert pixels is not None
    model = network.build(settings, 2)
    network.prepare(model, settings, lambda: tf.zeros([]))
    body = keras.Sequential(model.layers[:-3])

    @tf.function
    def features(images: tf.Tensor) -> tf.Tensor:
        return body((tf.cast(images, tf.float32) - pixels[0]) / pixels[1], training=False)

    images = tf.data.Dataset.from_tensor_slices([str(path) for path in files])
    images = images.map(lambda path: decode(tf.io.read_file(path), size, fit), tf.data.AUTOTUNE)
    parts, seconds = [], 0.0
    for batch in images.batch(32):
        began = time.process_time()
        parts.append(features(batch).numpy())
        seconds += time.process_time() - began
    return np.concatenate(parts), seconds * 1e3 / len(files)


def _tested(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether each image's class is predicted by the regression on the other folds, bool [N]."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    regression = LogisticRegression(C=0.1, max_iter=500)
    predicted: np.ndarray = cross_val_predict(regression, features, labels, cv=folds)
    return predicted == labels


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
