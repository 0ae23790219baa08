"""Small, real data: scikit-learn's handwritten digits, as arrays, as image files and as an Examples artifact."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from components.contracts import counts, rejects
from components.contracts import features as f

DIGITS = tuple("0123456789")
NAMES = ("zero", "one", "two")  # the classes of `write_folder`


def digit_images() -> tuple[np.ndarray, np.ndarray]:
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


def write_folder(root: Path, train: int = 60, test: int = 30, given_splits: bool = True) -> Path:
    """Handwritten zeros, ones and twos as PNG: `root`/train/<class>/… and test/, or plain `root`/<class>/…"""
    pixels, labels = digit_images()
    for label, name in enumerate(NAMES):
        for i, image in enumerate(pixels[labels == label][: train + test]):
            split = f.TRAIN if i < train else f.TEST
            folder = root / split / name if given_splits else root / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{i:04d}.png").write_bytes(png(image))
    return root


def example(pixels: np.ndarray, label: int, class_name: str, source: str) -> bytes:
    """One serialized tf.Example of contracts/features.py; the measures of sharpness and colour are made up."""
    import tensorflow as tf

    image = png(pixels)
    height, width, channels = pixels.shape
    values: dict[str, bytes | int | float] = {
        f.IMAGE: image,
        f.LABEL: label,
        f.CLASS_NAME: class_name.encode(),
        f.SOURCE: source.encode(),
        f.PIXELS_SHA256: hashlib.sha256(pixels.tobytes()).hexdigest().encode(),
        f.HEIGHT: height,
        f.WIDTH: width,
        f.CHANNELS: channels,
        f.NUM_BYTES: len(image),
        f.BRIGHTNESS: float(pixels.mean() / 255),
        f.CONTRAST: float(pixels.std() / 255),
        f.SHARPNESS: 0.1,
        f.COLOURFULNESS: 0.0,
    }
    lists: dict[type, str] = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
    record = tf.train.Example()
    for name, value in values.items():
        getattr(record.features.feature[name], lists[type(value)]).value.append(value)
    return record.SerializeToString(deterministic=True)


def digits(start: int, stop: int) -> list[bytes]:
    """Serialized examples of the digits from number `start` on."""
    pixels, labels = digit_images()
    names = [DIGITS[label] for label in labels]
    return [example(pixels[i], int(labels[i]), names[i], f"digits/{names[i]}/{i}.png") for i in range(start, stop)]


def write_examples(
    root: Path,
    splits: Mapping[str, Iterable[bytes]],
    class_names: Sequence[str] = (),
    rejected: Sequence[rejects.Rejection] = (),
    files: int = 1,
    gzip: bool = True,
) -> Path:
    """An Examples artifact's folder as ExampleGen writes it, each split in so many files."""
    import tensorflow as tf

    by_class: dict[str, Counter[str]] = {}
    for split, records in splits.items():
        folder = root / f"Split-{split}"
        folder.mkdir(parents=True)
        paths = [folder / f"data_tfrecord-{i:05d}-of-{files:05d}{'.gz' if gzip else ''}" for i in range(files)]
        writers = [tf.io.TFRecordWriter(str(path), "GZIP" if gzip else "") for path in paths]
        by_class[split] = Counter()
        for i, record in enumerate(records):
            writers[i % files].write(record)
            feature = tf.train.Example.FromString(record).features.feature
            if f.CLASS_NAME in feature:
                by_class[split][feature[f.CLASS_NAME].bytes_list.value[0].decode("utf-8", "replace")] += 1
        for writer in writers:
            writer.close()
    names = list(class_names) or sorted(set().union(*by_class.values()))
    splits_by_class = {split: dict(by_name) for split, by_name in by_class.items()}
    dropped = {"conflicts": number} if (number := sum(row.same_as is not None for row in rejected)) else {}
    counted = counts.Counts(
        source="test", class_names=names, splits=splits_by_class, rejected=len(rejected), dropped=dropped
    )
    counts.write(str(root), counted)
    rejects.write(str(root), rejected)
    return root


def write_digits(root: Path, sizes: Mapping[str, int] | None = None) -> Path:
    """The digits as an Examples artifact's folder, so many in each split."""
    splits, start = {}, 0
    for split, size in (sizes or {f.TRAIN: 1400, f.VALIDATION: 180, f.TEST: 217}).items():
        splits[split] = digits(start, start + size)
        start += size
    return write_examples(root, splits)
