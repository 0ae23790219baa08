"""Images on the page: of the size that they are shown at, whatever they were."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.report import thumbnails
from tests.datasets import DIGITS, png, write_digits


def decoded(uri: str | None) -> Image.Image:
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_a_small_image_is_shown_as_it_is() -> None:
    encoded = png(np.zeros((8, 8, 3), np.uint8))
    uri = thumbnails.data_uri(encoded)
    assert uri == f"data:image/png;base64,{base64.b64encode(encoded).decode()}"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_a_large_image_is_made_small(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 900, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    assert decoded(thumbnails.data_uri(out.getvalue())).size == (224, 149)
    assert decoded(thumbnails.data_uri(out.getvalue(), thumbnails.SMALL)).size == (128, 85)


def test_a_broken_image_is_left_out() -> None:
    assert thumbnails.data_uri(b"\x89PNG" + b"\0" * 5000) is None
    assert thumbnails.data_uri(b"GIF89a") is None


def test_samples_of_classes_and_images_by_source(tmp_path: Path) -> None:
    examples = str(write_digits(tmp_path, {"train": 120, "test": 40}))
    found = thumbnails.of_classes(examples, "train", [*DIGITS, "none"], each=3, limit=100)
    assert {name: len(images) for name, images in found.items()} == {**dict.fromkeys(DIGITS, 3), "none": 0}
    assert all(image.source.startswith(f"digits/{name}/") for name, images in found.items() for image in images)
    assert sum(map(len, thumbnails.of_classes(examples, "train", DIGITS, each=3, limit=5).values())) == 5
    assert list(thumbnails.of_sources(examples, "test", ["digits/0/130.png", "no such"])) == ["digits/0/130.png"]
