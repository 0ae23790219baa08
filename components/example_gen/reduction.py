"""Reduction of large images: to the size that is stored (`data.max_side`), and to that which is measured."""

from __future__ import annotations

import numpy as np
from PIL import Image

_DCT_SCALES = (8, 4, 2)  # divisors at which a JPEG is decoded in less time than whole


def decoded_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the smallest size (height, width) of those a JPEG decodes to quickly that is not below `side` pixels."""
    scale = next((scale for scale in _DCT_SCALES if max(height, width) >= scale * side), 1)
    return -(-height // scale), -(-width // scale)


def resized(pixels: np.ndarray, side: int, filter: Image.Resampling = Image.Resampling.HAMMING) -> np.ndarray:
    """Return an image, uint8 [H, W, 3], with no more than `side` pixels a side, its proportions kept."""
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    share = side / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(Image.fromarray(pixels).resize(size, filter, reducing_gap=1.5))
