"""What is no image that can be read is called by its name, with the way on."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from components.example_gen import images, unreadable
from components.example_gen.rejected import Rejected
from tests.example_gen.factories import LIMITS, saved, scene


def reason(raw: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        images.read(raw, *LIMITS)
    return caught.value.reason


def boxes(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(400)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("cat/1.jpg", b"x")
    return out.getvalue()


def with_frame(code: int, bits: int = 8) -> bytes:
    jpeg = saved(Image.fromarray(scene()), "JPEG")
    return jpeg.replace(b"\xff\xc0\x00\x11\x08", bytes((0xFF, code, 0, 17, bits)))


def raw_of_a_camera() -> bytes:
    """Return a file as DNG, NEF and ARW begin: a small preview, and the image itself in a list of its own."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254], tags[330] = 1, 8
    tags.tagtype[254] = tags.tagtype[330] = 4
    return saved(Image.fromarray(scene()), "TIFF", tiffinfo=tags)


def as_canons(tiff: bytes) -> bytes:
    """Return the TIFF, whose tags lie behind its header, with Canon's sign in between."""
    head = struct.pack("<4sI", b"II*\0", 16) + b"CR\x02\0" + bytes(4)
    return head + tiff[8:]


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (boxes(b"heic"), ("HEIC",)),
        (boxes(b"mif1"), ("HEIC",)),
        (boxes(b"avif"), ("AVIF",)),
        (boxes(b"crx "), ("camera",)),
        (boxes(b"isom"), ("video",)),
        (boxes(b"qt  "), ("video",)),
        (b"\x1a\x45\xdf\xa3" + bytes(99), ("video",)),
        (b"RIFF\x99\0\0\0AVI LIST", ("video",)),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(99), ("camera",)),
        (b"FUJIFILMCCD-RAW 0201", ("camera",)),
        (raw_of_a_camera(), ("camera",)),
        (as_canons(saved(Image.fromarray(scene()), "TIFF")), ("camera",)),
        (b"MM\0*" + bytes(99), ("TIFF", "convert it to PNG")),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", ("SVG", "PNG")),
        (b"\xef\xbb\xbf<svg width='9'/>", ("SVG",)),
        (b"\n<!DOCTYPE html><html><body>403</body></html>", ("HTML", "download")),
        (b"<HTML><HEAD>", ("HTML",)),
        (b"%PDF-1.4\n%", ("PDF",)),
        (b"8BPS\0\1" + bytes(200), ("Photoshop",)),
        (b"\xff\x0a" + bytes(99), ("JPEG XL", "djxl")),
        (b"\0\0\0\x0cJXL \r\n\x87\n", ("JPEG XL",)),
        (with_frame(0xC0, 12), ("12-bit JPEG", "8 bits")),
        (with_frame(0xC3), ("lossless JPEG",)),
        (with_frame(0xC5), ("hierarchical JPEG",)),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", ("Git LFS", "git lfs pull")),
        (zipped(), ("archive", "unpack")),
        (b"\x1f\x8b\x08\0", ("archive",)),
        (bytes(128) + b"DICM" + bytes(9), ("DICOM",)),
        (b"\x93NUMPY\1\0", ("NumPy",)),
        (bytes(4096), ("zero bytes",)),
        (b"\0\x05\x16\x07" + bytes(99), ("AppleDouble",)),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", ("PostScript",)),
        (b"hello", ("not an image but text",)),
        (bytes(range(255, 0, -1)), ("not an image",)),
        (saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), ("32-bit", "8 bits")),
    ],
)
def test_named(raw: bytes, named: tuple[str, ...]) -> None:
    message = reason(raw)
    assert all(word in message for word in named), message
    assert "\n" not in message


@pytest.mark.parametrize("form", ["GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "PNG", "JPEG"])
def test_a_file_that_only_begins_as_one_is_damaged(form: str) -> None:
    raw = saved(Image.fromarray(scene()), form)
    for keep in (4, 12, 20, len(raw) // 2):
        message = reason(raw[:keep])
        assert "damaged" in message or keep == 4, message


def test_no_reason_repeats_what_a_file_says() -> None:
    """Reasons are counted: those of one kind are equal, and nothing hostile gets into a message."""
    assert reason(b"\x1b[31mred" * 9) == reason(b"\x1b[32mgreen" * 9)
    assert unreadable.reason(struct.pack(">I", 24) + b"ftyp\x1b[3m") == unreadable.reason(boxes(b"isom"))
