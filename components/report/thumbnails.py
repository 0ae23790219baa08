"""Images for the page, as data URIs: the page holds every image that it shows."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from PIL import Image

from components.contracts import features as f

LARGE = 224  # pixels of the longer side at most: an image in which one looks for what is wrong
SMALL = 128  # one of many
AS_IT_IS = 3_000  # bytes: an encoded image of no more is not reduced
_BATCH = 64
_TYPES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png"}


class Thumbnail(NamedTuple):
    """An image of the page."""

    source: str  # its path in the data
    uri: str


def data_uri(encoded: bytes, side: int = LARGE) -> str | None:
    """Return the image (JPEG, PNG or BMP) at most `side` pixels high and wide; None if it cannot be read."""
    kind = next((kind for magic, kind in _TYPES.items() if encoded.startswith(magic)), None)
    if kind is None or len(encoded) > AS_IT_IS:
        try:
            with Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG", "BMP")) as image:
                image.draft("RGB", (side, side))
                small = image.convert("RGB")
        except (OSError, Image.DecompressionBombError):
            return None
        small.thumbnail((side, side))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=80)
        encoded, kind = out.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"


def of_classes(
    examples: str, split: str, classes: Collection[str], each: int, limit: int, side: int = SMALL
) -> dict[str, list[Thumbnail]]:
    """Return up to `each` images per class among the first `limit` images of the split: no more are read."""
    samples: dict[str, list[Thumbnail]] = {name: [] for name in classes}
    wanting = each * len(samples)
    for row in rows(examples, split, limit):
        sample = samples.get(row[f.CLASS_NAME].decode(errors="replace"))
        if sample is not None and len(sample) < each and (uri := data_uri(row[f.IMAGE], side)):
            sample.append(Thumbnail(row[f.SOURCE].decode(errors="replace"), uri))
            wanting -= 1
        if not wanting:
            break
    return samples


def of_sources(
    examples: str, split: str, sources: Collection[str], max_bytes: int | None = None, side: int = LARGE
) -> dict[str, str]:
    """Return the data URIs of the images with these sources, as far as the split has them.

    No more than `max_bytes` bytes of images are read to find them.
    """
    remaining = set(sources)
    uris: dict[str, str] = {}
    read = 0
    for row in rows(examples, split) if remaining else ():
        read += len(row[f.IMAGE])
        if max_bytes is not None and read > max_bytes:
            break
        source = row[f.SOURCE].decode(errors="replace")
        if source in remaining and (uri := data_uri(row[f.IMAGE], side)):
            remaining.remove(source)
            uris[source] = uri
        if not remaining:
            break
    return uris


def rows(examples: str, split: str, limit: int = -1) -> Iterator[Mapping[str, Any]]:
    """Yield {feature: bytes} of a split's images, their source and class; `limit` stops in its first file."""
    features = {key: tf.io.FixedLenFeature([], tf.string) for key in (f.IMAGE, f.SOURCE, f.CLASS_NAME)}
    files = sorted(tf.io.gfile.glob(f"{examples}/Split-{split}/*"))
    for file in files:
        dataset = tf.data.TFRecordDataset(file, compression_type="GZIP" if file.endswith(".gz") else "")
        for batch in dataset.take(limit).batch(_BATCH):
            columns = {key: value.numpy() for key, value in tf.io.parse_example(batch, features).items()}
            for values in zip(*columns.values()):
                yield dict(zip(columns, values))
        if limit >= 0:
            return  # one file is sample enough: ExampleGen spreads the classes over all of them
