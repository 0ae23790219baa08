"""Image files of every format and mode that Pillow writes, some that it does not, and damaged ones."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, features

LIMITS = (10_000_000, 10_000_000)  # bytes, pixels


def scene(height: int = 23, width: int = 31) -> np.ndarray:
    """Return uint8 [height, width, 3]: smooth, so that lossy formats stay close, and different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=2).astype(np.uint8)


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return uint8 [height, width, 3]: structure of all sizes and some noise, as a camera gives it."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells, deviation in ((6, 60), (24, 30), (96, 15)):
        grid = rng.normal(128, deviation, (cells, cells, 3)).clip(0, 255).astype(np.uint8)
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)) - 128.0
    return (total + rng.normal(128, 4, (height, width, 1))).clip(0, 255).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_chunks(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Return (kind, data) of the chunks of a sound PNG."""
    result = []
    position = 8
    while position < len(raw):
        length, kind = struct.unpack_from(">I4s", raw, position)
        result.append((kind, raw[position + 8 : position + 8 + length]))
        position += 12 + length
    return result


def png_of_chunks(parts: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def damaged_png(raw: bytes, rng: random.Random) -> bytes:
    """Return the sound PNG with a chunk lost, doubled or altered, or with other rows, and right checksums."""
    parts = [(kind, data) for kind, data in png_chunks(raw[: raw.rindex(b"IEND") + 8]) if len(data) < 100_000]
    at = rng.randrange(len(parts))
    kind, data = parts[at]
    what = rng.choice(("lost", "doubled", "altered", "altered", "cut", "rows", "rows", "rows"))
    if what == "lost":
        del parts[at]
    elif what == "doubled":
        parts.insert(rng.randrange(len(parts)), parts[at])
    elif what == "altered" and data:
        i = rng.randrange(len(data))
        parts[at] = kind, data[:i] + bytes([rng.randrange(256)]) + data[i + 1 :]
    elif what == "cut":
        parts[at] = kind, data[: rng.randrange(len(data) + 1)]
    else:
        image = b"".join(data for kind, data in parts if kind == b"IDAT")
        rows = bytearray(zlib.decompress(image))
        for _ in range(rng.choice((1, 1, 5))):
            rows[rng.randrange(len(rows))] = rng.randrange(256)
        rows = rows[: len(rows) - rng.choice((0, 0, 1, 90, len(rows) // 2))] + bytes(rng.choice((0, 0, 99)))
        first = next(i for i, (kind, _) in enumerate(parts) if kind == b"IDAT")
        parts = [part for part in parts if part[0] != b"IDAT"]
        parts.insert(first, (b"IDAT", zlib.compress(bytes(rows))))
    return png_of_chunks(parts)


def png16(bands: np.ndarray, colour_type: int, interlaced: bool = False) -> bytes:
    """Return a PNG of 16 bits a band, big-endian, which Pillow does not write; Adam7 where `interlaced`."""
    height, width = bands.shape[:2]
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, right in passes if interlaced else [(0, 0, 1, 1)]:
        part = bands[top::down, left::right].astype(">u2")
        rows += b"".join(b"\0" + row.tobytes() for row in part if part.size)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, int(interlaced))
    return png_of_chunks([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def kept() -> dict[str, bytes]:
    """Return images that are stored as found."""
    rgb = Image.fromarray(scene())
    grey = rgb.convert("L")
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(scene()[..., 0]))
    palette = rgb.quantize(64)
    wide = scene().astype(np.uint16) * 257 - 100
    return {
        "jpeg": saved(rgb, "JPEG", quality=92),
        "jpeg grey": saved(grey, "JPEG"),
        "jpeg progressive": saved(rgb, "JPEG", progressive=True),
        "jpeg 4:4:4": saved(rgb, "JPEG", subsampling=0),
        "jpeg 4:2:2": saved(rgb, "JPEG", subsampling=1),
        "jpeg as RGB": saved(rgb, "JPEG", keep_rgb=True),
        "jpeg with restarts": saved(rgb, "JPEG", restart_marker_blocks=1),
        "png": saved(rgb, "PNG"),
        "png grey": saved(grey, "PNG"),
        "png black and white": saved(grey.convert("1"), "PNG"),
        "png grey and alpha": saved(alpha.convert("LA"), "PNG"),
        "png alpha": saved(alpha, "PNG"),
        "png palette": saved(palette, "PNG"),
        "png palette of 2 bits": saved(rgb.quantize(4), "PNG", bits=2),
        "png palette, one transparent": saved(palette, "PNG", transparency=3),
        "png palette, alphas": saved(palette, "PNG", transparency=bytes(range(64))),
        "png with a transparent colour": saved(rgb, "PNG", transparency=(0, 0, 0)),
        "png grey with a transparent grey": saved(grey, "PNG", transparency=7),
        "png grey of 16 bits": png16(wide[..., 0], 0),
        "png of 16 bits": png16(wide, 2),
        "png of 16 bits, interlaced": png16(wide, 2, interlaced=True),
        "bmp": saved(rgb, "BMP"),
        "one pixel": saved(Image.fromarray(scene(1, 1)), "PNG"),
        "one row": saved(Image.fromarray(scene(1, 300)), "JPEG"),
    }


def stripped() -> dict[str, bytes]:
    """Return images that are stored without what their pixels do not need, nothing re-encoded."""
    rgb = Image.fromarray(scene())
    jpeg, png = saved(rgb, "JPEG", quality=92), saved(rgb, "PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "x" * 3_000_000, zip=True)
    return {
        "jpeg with EXIF": saved(rgb, "JPEG", exif=orientation(1)),
        "jpeg with a damaged EXIF": saved(rgb, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        "jpeg with a profile": saved(rgb, "JPEG", icc_profile=b"not a profile" * 9),
        "jpeg with a comment": saved(rgb, "JPEG", comment=b"secret"),
        "jpeg of several images": saved(rgb, "MPO", save_all=True, append_images=[rgb.rotate(90)]),
        "jpeg with a tail": jpeg + b"tail" * 9,
        "jpeg with a tail of markers": jpeg + b"\xff\xd8\xff\xda junk \xff\x01" * 9,
        "png with EXIF": saved(rgb, "PNG", exif=orientation(1)),
        "png with gamma": png_with(png, b"gAMA", struct.pack(">I", 220000)),
        "png with a profile that is none": saved(rgb, "PNG", icc_profile=b"not a profile" * 9),
        "png with a profile of 2 MB": saved(rgb, "PNG", icc_profile=bytes(2_000_000)),
        "png with a text of 3 MB": saved(rgb, "PNG", pnginfo=text),
        "png with a tail": png + b"tail" * 9,
        "png animated": saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)]),
    }


def turned() -> dict[str, bytes]:
    """Return images that EXIF says are turned, each otherwise."""
    rgb = Image.fromarray(scene())
    kinds = {
        "jpeg": (rgb, "JPEG", {"quality": 95, "subsampling": 0}),
        "jpeg grey": (rgb.convert("L"), "JPEG", {"quality": 95}),
        "jpeg cmyk": (rgb.convert("CMYK"), "JPEG", {"quality": 95, "subsampling": 0}),
        "png": (rgb, "PNG", {}),
        "png alpha": (rgb.convert("RGBA"), "PNG", {}),
        "tiff": (rgb, "TIFF", {}),
        "tiff lzw": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "webp": (rgb, "WEBP", {"lossless": True}),
    }
    return {
        f"{name} turned {turn}": saved(image, kind, exif=orientation(turn), **options)
        for name, (image, kind, options) in kinds.items()
        for turn in range(2, 9)
    }


def encoded_anew() -> dict[str, bytes]:
    """Return images that TensorFlow cannot read, or reads otherwise than Pillow: stored as PNG."""
    rgb = Image.fromarray(scene())
    grey = rgb.convert("L")
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(scene()[..., 0]))
    deep = Image.fromarray(scene()[..., 0].astype(np.uint16) * 257)
    result = {
        "jpeg cmyk": saved(rgb.convert("CMYK"), "JPEG", quality=92),
        "gif": saved(rgb.quantize(64), "GIF"),
        "gif grey": saved(grey, "GIF"),
        "gif interlaced": saved(rgb.quantize(64), "GIF", interlace=1),
        "gif animated": saved(rgb.quantize(32), "GIF", save_all=True, append_images=[rgb.rotate(180).quantize(32)]),
        "gif, transparent": saved(rgb.quantize(64), "GIF", transparency=5),
        "gif smaller than its screen": _gif_with_larger_screen(saved(rgb.quantize(32), "GIF")),
        "bmp palette": saved(rgb.quantize(32), "BMP"),
        "bmp grey": saved(grey, "BMP"),
        "bmp black and white": saved(grey.convert("1"), "BMP"),
        "bmp alpha": saved(alpha, "BMP"),
        "tiff": saved(rgb, "TIFF"),
        "tiff grey of 16 bits": saved(deep, "TIFF"),
        "tiff cmyk": saved(rgb.convert("CMYK"), "TIFF"),
        "ppm": saved(rgb, "PPM"),
        "pgm grey of 16 bits": b"P5 31 23 65535\n" + np.asarray(deep).astype(">u2").tobytes(),
    }
    for name, feature, options in (
        ("WEBP", "webp", {"lossless": True}),
        ("JPEG2000", "jpg_2000", {}),
        ("AVIF", "avif", {}),
    ):
        if features.check(feature):
            result[name.lower()] = saved(rgb, name, **options)
            result[f"{name.lower()} alpha"] = saved(alpha, name, **options)
    return result


def png_with(png: bytes, kind: bytes, data: bytes) -> bytes:
    """Return the PNG with one more chunk behind its header."""
    header, *rest = png_chunks(png)
    return png_of_chunks([header, (kind, data), *rest])


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def _gif_with_larger_screen(gif: bytes) -> bytes:
    return gif[:6] + struct.pack("<HH", 64, 64) + gif[10:]
