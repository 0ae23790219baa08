"""Small, real data for tests of single stages: scikit-learn's digits in the data contract of contracts/features.py.

And the arguments that such a test gives to Beam.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from components.contracts import features as f

DIGITS = tuple("0123456789")
BEAM_ARGS = [
    "--runner=FnApiRunner",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    f"--setup_file={Path(__file__).parents[1] / 'setup.py'}",  # else TFX packs itself up for each stage: a second
]


def digit_pictures() -> tuple[np.ndarray, np.ndarray]:
    """(uint8 [1797, 32, 32, 3], int64 [1797]): the handwritten digits, enlarged four times."""
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.clip(data.images * 16, 0, 255).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    return np.repeat(grey[..., None], 3, axis=3), data.target.astype(np.int64)


def png(pixels: np.ndarray) -> bytes:
    """The image uint8 [H, W, 3] as PNG."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def example(pixels: np.ndarray, label: int, class_name: str, source: str) -> bytes:
    """One serialized tf.Example of the data contract; the statistics are plausible, not measured."""
    import tensorflow as tf

    def byte(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def integer(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    def real(value: float) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    image = png(pixels)
    height, width, channels = pixels.shape
    feature = {
        f.IMAGE: byte(image),
        f.LABEL: integer(label),
        f.CLASS_NAME: byte(class_name.encode()),
        f.SOURCE: byte(source.encode()),
        f.PIXELS_SHA256: byte(hashlib.sha256(pixels.tobytes()).hexdigest().encode()),
        f.HEIGHT: integer(height),
        f.WIDTH: integer(width),
        f.CHANNELS: integer(channels),
        f.NUM_BYTES: integer(len(image)),
        f.BRIGHTNESS: real(float(pixels.mean() / 255)),
        f.CONTRAST: real(float(pixels.std() / 255)),
        f.SHARPNESS: real(0.1),
        f.COLOURFULNESS: real(0.0),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def write_splits(root: Path, per_split: dict[str, int] | None = None) -> Path:
    """An Examples artifact's folder: `root`/Split-<split>/data_tfrecord-00000-of-00001.gz for each split."""
    import tensorflow as tf

    pixels, labels = digit_pictures()
    start = 0
    for split, count in (per_split or {f.TRAIN: 1400, f.VALIDATION: 180, f.TEST: 217}).items():
        folder = root / f"Split-{split}"
        folder.mkdir(parents=True)
        path = folder / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for i in range(start, start + count):
                name = DIGITS[labels[i]]
                writer.write(example(pixels[i], int(labels[i]), name, f"digits/{name}/{i}"))
        start += count
    return root
