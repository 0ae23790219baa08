"""Images over `data.max_side` are stored reduced and upright, and are still told apart, found twice, or rejected."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from components.example_gen import images, reduction
from components.example_gen.rejected import Rejected
from components.example_gen.shuffle_files import hash_of
from components.transform import preprocessing
from tests.example_gen.factories import kept, orientation, photo, saved, stripped, turned
from tests.example_gen.test_mutations import mutated

LIMITS = (10**7, 10**7)
SIDE = 256


def read(raw: bytes, side: int = SIDE) -> images.StoredImage:
    return images.read(raw, *LIMITS, side)


def identity(raw: bytes) -> bytes:
    image = read(raw)
    return hash_of(image.pixels, image.size)


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    return saved(Image.fromarray(pixels), "JPEG", **{"quality": 92, **options})


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_large_photo_is_stored_reduced_and_upright(turn: int) -> None:
    raw = jpeg(photo(600, 900), exif=orientation(turn))
    stored = read(raw)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
    assert stored.size == (shown.height, shown.width)
    assert stored.pixels.shape == ((171, 256, 3) if shown.width > shown.height else (256, 171, 3))
    assert stored.turned == (turn != 1)
    assert len(stored.original_sha256) == 64
    assert b"Exif" not in stored.encoded
    decoded = tf.io.decode_image(stored.encoded, channels=3, expand_animations=False).numpy()
    assert np.array_equal(decoded, stored.pixels)
    expected = np.asarray(shown.resize(stored.pixels.shape[1::-1], Image.Resampling.HAMMING)).astype(int)
    assert np.abs(decoded - expected).mean() < 4  # another image, or another turn, differs by over 30
    assert read(raw).encoded == stored.encoded


def test_a_photo_of_six_megapixels() -> None:
    raw = jpeg(photo(2000, 3000), exif=orientation(6))
    stored = images.read(raw, *LIMITS, 1024)
    assert (stored.size, stored.pixels.shape) == ((3000, 2000), (1024, 683, 3))
    assert len(stored.encoded) < len(raw) / 3


@pytest.mark.parametrize(
    "cut",
    [lambda raw: raw[:-9], lambda raw: raw[: len(raw) // 2], lambda raw: raw[:300] + b"\xff\xd9"],
    ids=["without its end", "half", "no image data"],
)
def test_a_truncated_photo_is_rejected(cut: Callable[[bytes], bytes]) -> None:
    """Though it is decoded to a fraction of its size."""
    with pytest.raises(Rejected, match="damaged image"):
        read(cut(jpeg(photo(600, 900))))


def test_damage_is_found_as_in_an_image_that_is_decoded_whole() -> None:
    files = [raw for name, raw in (kept() | stripped() | turned()).items() if name.startswith("jpeg")]
    rng = random.Random(0)
    damaged = [mutated(rng.choice(files), rng) for _ in range(300)]
    verdicts = [accepted(raw, SIDE) for raw in damaged]
    assert verdicts == [accepted(raw, 4) for raw in damaged]
    assert len(set(verdicts)) == 2


def accepted(raw: bytes, side: int) -> bool:
    try:
        return bool(read(raw, side).encoded)
    except Rejected:
        return False


def test_limits_are_those_of_the_original() -> None:
    raw = jpeg(photo(300, 400))
    with pytest.raises(Rejected, match="400 x 300 is over the limit of 119,999 pixels"):
        images.read(raw, 10**7, 119_999, 100)
    with pytest.raises(Rejected, match=r"data\.max_bytes"):
        images.read(raw, len(raw) - 1, 10**7, 100)
    with pytest.raises(Rejected, match="400 x 300 is over the limit of 119,999 pixels"):
        images.from_pixels(photo(300, 400), 119_999, 100)


def test_small_images_are_stored_as_without_the_limit() -> None:
    for raw in (kept() | stripped() | turned()).values():
        limited, whole = images.read(raw, *LIMITS, 300), images.read(raw, *LIMITS)
        assert limited.encoded == whole.encoded
        assert np.array_equal(limited.pixels, whole.pixels)
        assert limited.size == limited.pixels.shape[:2]
        assert not limited.original_sha256


def test_identity_of_a_small_image_is_that_of_its_pixels() -> None:
    assert (
        identity(saved(Image.fromarray(photo(20, 30)), "PNG")).hex()
        == "223f48904496d448878cdc2ae43e2e8926608df52bf0669a7e8032939cb5eaaf"
    )


def test_copies_of_a_large_image_are_found() -> None:
    """In other containers without loss; of a JPEG those with the same coded image, whatever lies around it."""
    pixels = photo(300, 400)
    image = Image.fromarray(pixels)
    lossless = [saved(image, "PNG"), saved(image, "BMP"), saved(image, "TIFF"), saved(image, "WEBP", lossless=True)]
    assert len({identity(raw) for raw in lossless}) == 1
    assert hash_of(images.from_pixels(pixels, 10**6, SIDE).pixels, (300, 400)) == identity(lossless[0])
    raw = jpeg(pixels)
    assert identity(raw) == identity(jpeg(pixels, exif=orientation(1), comment=b"a copy")) == identity(raw + b"tail")
    others = [raw, jpeg(photo(300, 400, 1)), jpeg(pixels[:299]), jpeg(255 - pixels), lossless[0]]
    assert len({identity(raw) for raw in others}) == len(others)


def test_bands_are_kept() -> None:
    image = Image.fromarray(photo(300, 400))
    alpha = image.copy()
    alpha.putalpha(image.convert("L"))
    for kind, channels in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        stored = read(saved(alpha.convert(kind), "PNG"))
        assert stored.encoded.startswith(b"\xff\xd8")
        assert stored.channels == channels
        assert (np.ptp(stored.pixels, axis=2).max() == 0) == (channels <= 2)
    assert read(saved(image.convert("CMYK"), "JPEG")).pixels.shape == (192, 256, 3)


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [
        (3000, 4000, 1024, (1500, 2000)),
        (3024, 4032, 1024, (1512, 2016)),
        (2047, 9, 1024, (2047, 9)),
        (8192, 5, 1024, (1024, 1)),
    ],
)
def test_a_jpeg_is_decoded_to_a_fraction_not_below_the_side(
    height: int, width: int, side: int, expected: tuple[int, int]
) -> None:
    assert reduction.decoded_size(height, width, side) == expected


def test_a_strip_keeps_a_pixel() -> None:
    assert read(jpeg(photo(2, 3000))).pixels.shape == (1, 256, 3)


def test_the_model_sees_nearly_the_same_in_the_original() -> None:
    """What a client of the exported model that sends originals can count on; `predict` sends what is stored."""
    raw = jpeg(photo(1200, 1600), quality=90)
    stored = images.canonical_bytes(raw, *LIMITS, 1024)
    assert stored == images.read(raw, *LIMITS, 1024).encoded
    of_original, of_stored = (preprocessing.decode(tf.constant(x), 224).numpy().astype(int) for x in (raw, stored))
    difference = np.abs(of_original - of_stored)
    assert difference.mean() < 1
    assert np.quantile(difference, 0.99) <= 4
