"""What is stored decodes in TensorFlow to what Pillow finds, for every kind of picture and for damaged ones."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from components.example_gen import pictures
from tests.example_gen.pictures_of_every_kind import LIMITS, encoded_anew, kept, saved, scene

KEPT, ANEW = kept(), encoded_anew()


def decoded(raw: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_image(raw, channels=3, expand_animations=False).numpy()


def assert_same(raw: bytes, picture: pictures.Picture) -> None:
    """Equal; within a rounding for JPEG, where TensorFlow's default is the fast inverse DCT, Pillow's the accurate."""
    import tensorflow as tf

    seen = decoded(picture.encoded)
    if picture.encoded[:2] == b"\xff\xd8":
        assert seen.shape == picture.pixels.shape
        assert np.abs(seen.astype(int) - picture.pixels.astype(int)).max() <= 8
        seen = tf.io.decode_jpeg(picture.encoded, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    assert np.array_equal(seen, picture.pixels)


def read_or_none(raw: bytes) -> pictures.Picture | None:
    try:
        return pictures.read(raw, 10**7, 10**6)
    except pictures.Rejected:
        return None


@pytest.mark.parametrize("kind", KEPT)
def test_kept_as_found(kind: str) -> None:
    picture = pictures.read(KEPT[kind], *LIMITS)
    assert picture.encoded == KEPT[kind]
    assert_same(KEPT[kind], picture)


@pytest.mark.parametrize("kind", ANEW)
def test_encoded_anew_as_png(kind: str) -> None:
    picture = pictures.read(ANEW[kind], *LIMITS)
    assert picture.encoded.startswith(b"\x89PNG")
    assert_same(ANEW[kind], picture)
    assert pictures.servable(ANEW[kind], *LIMITS) == picture.encoded
    if "grey" not in kind and "black" not in kind and "screen" not in kind:  # still the scene
        assert np.abs(picture.pixels.astype(int) - scene()).mean() < 16


@pytest.mark.parametrize("kind", [*KEPT, *ANEW])
def test_cut_short_is_rejected_or_whole(kind: str) -> None:
    raw = (KEPT | ANEW)[kind]
    for keep in (0.3, 0.6, 0.9):
        picture = read_or_none(raw[: int(len(raw) * keep)])
        if picture:  # what was cut off was not needed
            assert_same(raw, picture)


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted([*KEPT, *ANEW])),
    flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=4),
)
def test_damaged_bytes_never_get_past(kind: str, flips: list[tuple[int, int]]) -> None:
    raw = bytearray((KEPT | ANEW)[kind])
    for position, mask in flips:
        raw[position % len(raw)] ^= mask
    picture = read_or_none(bytes(raw))
    if picture:
        assert decoded(picture.encoded).shape == picture.pixels.shape  # raises where TensorFlow cannot


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_rejected(raw: bytes) -> None:
    picture = read_or_none(raw)
    assert picture is None or picture.pixels.ndim == 3


def test_channels_as_found() -> None:
    found = {kind: pictures.read(raw, *LIMITS).channels for kind, raw in (KEPT | ANEW).items()}
    assert found["jpeg grey"] == found["png grey of 16 bits"] == found["png black and white"] == 1
    assert found["png grey and alpha"] == 2
    assert found["jpeg"] == found["png palette"] == found["gif"] == found["bmp"] == 3
    assert found["png alpha"] == found["png palette, alphas"] == found["jpeg cmyk"] == 4


def reason(raw: bytes, max_bytes: int = LIMITS[0], max_pixels: int = LIMITS[1]) -> str:
    with pytest.raises(pictures.Rejected) as caught:
        pictures.read(raw, max_bytes, max_pixels)
    return caught.value.reason


def test_reasons() -> None:
    jpeg = KEPT["jpeg"]
    assert reason(b"") == "empty file"
    assert reason(b"some text") == "not a picture"
    assert reason(jpeg, max_bytes=len(jpeg) - 1) == f"over the limit of {len(jpeg) - 1:,} bytes"
    assert reason(jpeg, max_pixels=23 * 31 - 1) == "31 x 23 is over the limit of 712 pixels"
    assert reason(jpeg[:-20]).startswith("damaged picture: image file is truncated")
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n") == "not a picture"
    assert "32-bit" in reason(saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_a_bomb_is_rejected_by_its_header() -> None:
    """A header that claims 60,000 x 60,000 pixels, over all of Pillow's own limits: nothing is decoded."""
    png = bytearray(KEPT["png"])
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    assert reason(bytes(png)) == "60000 x 60000 is over the limit of 10,000,000 pixels"
    png[16:24] = struct.pack(">II", 70_000, 1)
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    assert reason(bytes(png)) == "70000 x 1 is over the limit of 65,535 pixels a side"


def test_stored_png_is_what_pillow_and_tensorflow_read() -> None:
    pixels = scene(32, 32)
    raw = pictures.stored_png(pixels)
    assert np.array_equal(decoded(raw), pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(raw))), pixels)


def plainly(pixels: np.ndarray) -> list[float]:
    """The statistics as their definitions read."""
    red, green, blue = (pixels[..., i] / 255 for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    steps = [*np.abs(np.diff(luma, axis=0)).ravel(), *np.abs(np.diff(luma, axis=1)).ravel()]
    rg, yb = red - green, (red + green) / 2 - blue
    colour = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    return [luma.mean(), luma.std(), np.mean(steps) if steps else 0.0, colour]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (32, 32), (600, 700)])
def test_statistics(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.allclose(pictures.statistics(pixels[None])[0], plainly(pixels), atol=1e-9)


def test_statistics_of_one_colour() -> None:
    values = pictures.statistics(np.full((1, 8, 8, 3), 200, np.uint8))[0]
    assert np.allclose(values, [200 / 255, 0, 0, 0], atol=1e-7)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_statistics_do_not_depend_on_the_batch(count: int, seed: int) -> None:
    batch = np.random.default_rng(seed).integers(0, 256, (count, 11, 13, 3), dtype=np.uint8)
    assert np.array_equal(pictures.statistics(batch), np.concatenate([pictures.statistics(one[None]) for one in batch]))


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    progressive=st.booleans(),
    quality=st.integers(1, 95),
    seed=st.integers(0, 9),
)
def test_every_jpeg_decodes_to_the_pixels_that_pillow_finds(
    height: int, width: int, mode: str, subsampling: str, progressive: bool, quality: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    image = Image.fromarray(noise).convert(mode)
    image.save(out, "JPEG", subsampling=subsampling, progressive=progressive, quality=quality)

    picture = pictures.read(out.getvalue(), 10_000, 10_000)

    expected = Image.open(io.BytesIO(out.getvalue()))
    np.testing.assert_array_equal(picture.pixels, np.asarray(expected.convert("RGB")))
    assert picture.channels == len(expected.getbands())
    assert (picture.encoded == out.getvalue()) == (mode != "CMYK")
