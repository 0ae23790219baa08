"""The encodings in which pixels are stored that TensorFlow does not read from the file as it came."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import simplejpeg
from PIL import Image


def jpeg(pixels: np.ndarray, quality: int, grey: bool) -> bytes:
    """Encode pixels uint8 [height, width, 3] as JPEG, colours in full resolution; if `grey`, the first band alone.

    At half the resolution, the model's input at 224 pixels differs from that of the original by 1.1 levels of 255 on
    average instead of 0.7.
    """
    if grey:
        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels[..., :1]), quality, "GRAY", "Gray"))
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB", "444"))


def compressed_png(pixels: np.ndarray) -> bytes:
    """Encode pixels uint8 [height, width, 3] as PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def stored_png(pixels: np.ndarray) -> bytes:
    """Encode pixels uint8 [height, width, 3] as PNG without compression.

    For small raw images, of which there are many: 9 microseconds for 32 x 32 where Pillow takes 60 to 110, quicker
    to decode too, and no more than a third larger.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row is led by its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
