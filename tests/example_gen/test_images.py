"""What is stored decodes in TensorFlow to what Pillow finds, for every kind of image and for damaged ones."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from components.example_gen import encoding, images
from components.example_gen.rejected import Rejected
from tests.example_gen.factories import (
    LIMITS,
    encoded_anew,
    kept,
    orientation,
    png16,
    png_of_chunks,
    saved,
    scene,
    stripped,
    turned,
)

KEPT, STRIPPED, TURNED, ANEW = kept(), stripped(), turned(), encoded_anew()
ALL = KEPT | STRIPPED | TURNED | ANEW


def decoded(raw: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_image(raw, channels=3, expand_animations=False).numpy()


def assert_same(stored: images.StoredImage) -> None:
    np.testing.assert_array_equal(decoded(stored.encoded), stored.pixels)


def read_or_none(raw: bytes) -> images.StoredImage | None:
    try:
        return images.read(raw, 10**7, 10**6)
    except Rejected:
        return None


@pytest.mark.parametrize("kind", KEPT)
def test_kept_as_found(kind: str) -> None:
    stored = images.read(KEPT[kind], *LIMITS)
    assert stored.encoded == KEPT[kind]
    assert_same(stored)


@pytest.mark.parametrize("kind", STRIPPED)
def test_stored_without_what_its_pixels_do_not_need(kind: str) -> None:
    stored = images.read(STRIPPED[kind], *LIMITS)
    assert len(stored.encoded) < len(STRIPPED[kind])
    assert not re.search(rb"Exif|eXIf|ICC|iCCP|tEXt|zTXt|secret|tail|junk|MPF", stored.encoded)
    assert_same(stored)
    assert np.array_equal(stored.pixels, decoded(STRIPPED[kind]))
    assert not stored.turned


@pytest.mark.parametrize("kind", TURNED)
def test_stored_upright(kind: str) -> None:
    """As Pillow turns it, up to the noise of encoding a JPEG once more."""
    raw = TURNED[kind]
    stored = images.read(raw, *LIMITS)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(raw))).convert("RGB"))
    assert stored.turned
    assert b"Exif" not in stored.encoded
    assert stored.pixels.shape == shown.shape
    assert np.abs(stored.pixels.astype(int) - shown).max() <= (12 if "jpeg" in kind else 0)
    assert_same(stored)
    again = images.read(stored.encoded, *LIMITS)
    assert again.encoded == stored.encoded
    assert not again.turned


def tiff16(bands: np.ndarray) -> bytes:
    """Return a TIFF of 16 bits in three bands, little-endian, which Pillow does not write."""
    height, width = bands.shape[:2]
    data = bands.astype("<u2").tobytes()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8 + 12 * 8 + 6), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 8 + 12 * 8 + 12), (277, 3, 1, 3), (279, 4, 1, len(data))]  # fmt: skip
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return head + bytes(4) + struct.pack("<HHH", 16, 16, 16) + data


def test_values_of_12_bits_in_16_are_scaled() -> None:
    """An image that uses no more than twelve of its sixteen bits keeps its upper eight of those."""
    deep = scene().astype(np.uint16)
    for raw, expected in (
        (png16(deep * 16 + 9, 2), scene()),
        (png16(deep[..., 0] * 16 + 9, 0), scene()[..., :1].repeat(3, 2)),
        (saved(Image.fromarray(deep[..., 0] * 16 + 9), "TIFF"), scene()[..., :1].repeat(3, 2)),
        (png16(deep * 256 + 9, 2), scene()),
        (tiff16(deep * 256 + 9), scene()),
        (tiff16(deep * 0), scene() * 0),
    ):
        stored = images.read(raw, *LIMITS)
        assert np.array_equal(stored.pixels, expected)
        assert_same(stored)
    assert "16-bit" in reason(tiff16(deep * 16))  # of which Pillow gives only four bits


@pytest.mark.parametrize(
    "parts",
    [
        [
            (b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(bytes(28 * 8))),
            (b"IEND", b""),
        ],
        [(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)), (b"IDAT", b"x\x9c\x03"), (b"IEND", b"")],
        [(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)), (b"IEND", b"")],
        [(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 3, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(90))), (b"IEND", b"")],
        [(b"IDAT", zlib.compress(bytes(90))), (b"IEND", b"")],
    ],
    ids=["too few rows", "data of three bytes", "no data", "no palette", "no header"],
)
def test_a_png_with_sound_checksums_that_is_damaged(parts: list[tuple[bytes, bytes]]) -> None:
    assert reason(png_of_chunks(parts)).startswith("damaged image: ")


def test_nothing_private_is_stored() -> None:
    """The position, the camera, the thumbnail, the description, from every block that has room for them."""
    exif = orientation(6)
    exif.get_ifd(0x8825)[0x0001] = "SECRET"
    exif[0x010F] = "SECRET"
    scene_jpeg = saved(Image.fromarray(scene()), "JPEG", exif=exif, xmp=b"SECRET", comment=b"SECRET")
    photoshop = b"Photoshop 3.0\0SECRET"
    jpeg = scene_jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(photoshop) + 2) + photoshop + scene_jpeg[2:]
    text = PngImagePlugin.PngInfo()
    text.add_text("SECRET", "SECRET")
    text.add_itxt("SECRET", "SECRET")
    png = saved(Image.fromarray(scene()), "PNG", exif=exif, pnginfo=text)
    for raw in (jpeg, png, saved(Image.fromarray(scene()), "TIFF", exif=exif)):
        assert b"SECRET" in raw
        assert b"SECRET" not in images.read(raw, *LIMITS).encoded
        assert b"SECRET" not in images.read(raw.replace(b"\0\x06\0\0\0", b"\0\x01\0\0\0"), *LIMITS).encoded


@pytest.mark.parametrize("kind", ANEW)
def test_encoded_anew_as_png(kind: str) -> None:
    stored = images.read(ANEW[kind], *LIMITS)
    assert stored.encoded.startswith(b"\x89PNG")
    assert_same(stored)
    assert images.canonical_bytes(ANEW[kind], *LIMITS) == stored.encoded
    if "grey" not in kind and "black" not in kind and "screen" not in kind:  # still the scene
        assert np.abs(stored.pixels.astype(int) - scene()).mean() < 16


@given(st.binary(max_size=200))
def test_any_bytes_are_an_image_or_rejected(raw: bytes) -> None:
    stored = read_or_none(raw)
    assert stored is None or stored.pixels.ndim == 3


def test_channels_as_found() -> None:
    channels = {kind: images.read(raw, *LIMITS).channels for kind, raw in ALL.items()}
    assert channels["jpeg grey"] == channels["png grey of 16 bits"] == channels["png black and white"] == 1
    assert channels["png grey and alpha"] == 2
    assert channels["jpeg"] == channels["png palette"] == channels["gif"] == channels["bmp"] == 3
    assert channels["png alpha"] == channels["png palette, alphas"] == channels["jpeg cmyk"] == 4


def reason(raw: bytes, max_bytes: int = LIMITS[0], max_pixels: int = LIMITS[1]) -> str:
    with pytest.raises(Rejected) as caught:
        images.read(raw, max_bytes, max_pixels)
    return caught.value.reason


def test_reasons() -> None:
    jpeg = KEPT["jpeg"]
    assert reason(b"") == "empty file"
    assert reason(b"some text") == "not an image but text"
    assert reason(jpeg, max_bytes=len(jpeg) - 1) == f"over the limit of {len(jpeg) - 1:,} bytes (data.max_bytes)"
    assert reason(jpeg, max_pixels=23 * 31 - 1) == "31 x 23 is over the limit of 712 pixels (data.max_pixels)"
    assert reason(jpeg[:-20]) == "damaged image: the file is truncated"
    assert "32-bit" in reason(saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_a_bomb_is_rejected_by_its_header() -> None:
    """A header that claims 60,000 x 60,000 pixels, over all of Pillow's own limits: nothing is decoded."""
    png = bytearray(KEPT["png"])
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    assert reason(bytes(png)) == "60000 x 60000 is over the limit of 10,000,000 pixels (data.max_pixels)"
    png[16:24] = struct.pack(">II", 70_000, 1)
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    assert reason(bytes(png)) == "70000 x 1 is over the limit of 65,535 pixels a side"


def test_stored_png_is_what_pillow_and_tensorflow_read() -> None:
    pixels = scene(32, 32)
    raw = encoding.stored_png(pixels)
    assert np.array_equal(decoded(raw), pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(raw))), pixels)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    progressive=st.booleans(),
    quality=st.integers(1, 95),
    seed=st.integers(0, 9),
)
def test_every_jpeg_decodes_to_the_pixels_that_tensorflow_finds(
    height: int, width: int, mode: str, subsampling: str, progressive: bool, quality: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    image = Image.fromarray(noise).convert(mode)
    image.save(out, "JPEG", subsampling=subsampling, progressive=progressive, quality=quality)

    stored = images.read(out.getvalue(), 10_000, 10_000)

    assert_same(stored)
    shown = np.asarray(Image.open(io.BytesIO(out.getvalue())).convert("RGB")).astype(int)
    assert np.abs(stored.pixels - shown).max() <= (0 if mode == "CMYK" else 12)  # Pillow's transform is the slow one
    assert stored.channels == len(image.getbands())
    assert (stored.encoded == out.getvalue()) == (mode != "CMYK")
