"""The reasons why a file is no readable image, each with what to do."""

from __future__ import annotations

import re
from typing import Any

from components.example_gen import heif

CAMERA_RAW = "a camera's raw file, of which only the preview can be read: develop it to JPEG, e.g. with darktable-cli"

_ARCHIVE = "an archive: unpack it"
_VIDEO = "a video: take images from it, e.g. with ffmpeg"
_HEIC = "a HEIC image: install the package pi-heif to read it, or convert it to JPEG, e.g. with heif-convert"
_JPEG_XL = "a JPEG XL image, which cannot be read: convert it to JPEG, e.g. with djxl"
_DAMAGED = "damaged image: its {} data cannot be read"
_UNKNOWN = "a {} image that is damaged or of a kind that cannot be read: convert it to PNG"
_CANON = b"II*\0\x10\0\0\0CR"  # a TIFF but for these last two

# By how they begin.
_MAGIC = (
    (b"GIF8", _DAMAGED.format("GIF")),
    (b"BM", _UNKNOWN.format("BMP")),
    (b"II*\0", _UNKNOWN.format("TIFF")),
    (b"MM\0*", _UNKNOWN.format("TIFF")),
    (b"II+\0", _UNKNOWN.format("BigTIFF")),
    (b"MM\0+", _UNKNOWN.format("BigTIFF")),
    (b"\0\0\0\x0cjP  ", _DAMAGED.format("JPEG 2000")),
    (b"\xff\x4f\xff\x51", _DAMAGED.format("JPEG 2000")),
    (b"\0\0\0\x0cJXL ", _JPEG_XL),
    (b"\xff\x0a", _JPEG_XL),
    (b"%PDF", "a PDF document: export its pages as images, e.g. with pdftoppm"),
    (b"%!PS", "a PostScript drawing: export it as PNG"),
    (b"8BPS", "a Photoshop document: export it as PNG or JPEG"),
    (b"IIRO", CAMERA_RAW),  # Olympus
    (b"IIU\0", CAMERA_RAW),  # Panasonic
    (b"FUJIFILMCCD-RAW", CAMERA_RAW),
    (b"v/1\x01", "an OpenEXR image, whose pixels are numbers of unknown range: convert it to PNG"),
    (b"#?RADIANCE", "a Radiance HDR image, whose pixels are numbers of unknown range: convert it to PNG"),
    (b"\0\0\1\0", "an icon (ICO): convert it to PNG"),
    (b"SIMPLE  =", "a FITS file, whose pixels are numbers of unknown range: convert it to PNG"),
    (b"gimp xcf", "a GIMP document: export it as PNG or JPEG"),
    (b"\x89HDF", "an HDF5 file: write its images as PNG"),
    (b"PAR1", "a Parquet file, whose images a run can read (--data): write them as PNG or JPEG"),
    (b"\x93NUMPY", "a NumPy array: write it as PNG"),
    (b"version https://git-lfs.github.com/", "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"\0\x05\x16\x07", "macOS's notes on a file (AppleDouble), not the file itself: remove it"),
    (b"PK\x03\x04", _ARCHIVE),
    (b"\x1f\x8b", _ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"Rar!", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (b"\x1a\x45\xdf\xa3", _VIDEO),
    (b"\0\0\1\xba", _VIDEO),
    (b"FLV\1", _VIDEO),
    (b"OggS", _VIDEO),
)
# By the brand behind `ftyp`, of the files that consist of ISO's boxes.
_BRANDS = {b"avif": _DAMAGED.format("AVIF"), b"avis": _DAMAGED.format("AVIF"), b"crx ": CAMERA_RAW}

_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def reason(raw: bytes) -> str:
    """Return why the file that begins with `raw`, which no reader knows, cannot be used."""
    if raw.startswith(_CANON):
        return CAMERA_RAW
    for magic, text in _MAGIC:
        if raw.startswith(magic):
            return text
    if heif.is_heif(raw):
        return _DAMAGED.format("HEIC") if heif.is_readable() else _HEIC
    if raw[4:8] == b"ftyp":
        return _BRANDS.get(raw[8:12], _VIDEO)
    if raw[:4] == b"RIFF":
        return {b"WEBP": _DAMAGED.format("WebP"), b"AVI ": _VIDEO}.get(raw[8:12], "not an image")
    if raw[128:132] == b"DICM":
        return "a DICOM file, whose pixels are numbers of unknown range: convert it to PNG, e.g. with dcmj2pnm"
    if not raw.strip(b"\0"):
        return "nothing but zero bytes: copy or fetch it again"
    return _text(raw[:4096]) or "not an image"


def _text(start: bytes) -> str | None:
    if _SVG.search(start):
        return "an SVG drawing: export it as PNG, e.g. with rsvg-convert"
    if _HTML.search(start):
        return "an HTML page, as a failed download leaves: fetch it again"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # else a letter that was cut in two
            return None
    return None if _CONTROL.search(start) else "not an image but text"


def is_preview(raw: bytes, tiff: Any) -> bool:
    """Return True if the first image of Pillow's `tiff` is a preview of another, as in camera raws."""
    dng_version, sub_images, kind = 50706, 330, 254
    tags = tiff.tag_v2
    return raw.startswith(_CANON) or dng_version in tags or (sub_images in tags and tags.get(kind) == 1)
