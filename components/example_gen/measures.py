"""Image statistics that are stored as features of the examples."""

from __future__ import annotations

import numpy as np
from PIL import Image

from components.example_gen import reduction

SIDE = 256  # pixels of the longer side, to which larger images are reduced before they are measured

_LUMA_SHARES = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LUMA = (299, 587, 114)  # the same in thousandths, so that sums stay whole numbers


def measured(pixels: np.ndarray) -> np.ndarray:
    """Return what `statistics` takes of an image, uint8 [H, W, 3]: itself, or if it is large, the means of its areas.

    A 12-megapixel photo takes an eighth of the time, and sharpness can be compared between photos of any size.
    """
    return reduction.resized(pixels, SIDE, Image.Resampling.BOX)


def statistics(pixels: np.ndarray) -> np.ndarray:
    """Return float64 [N, 4] of uint8 [N, H, W, 3]: brightness, contrast, sharpness, colourfulness (features.py).

    All four follow from sums of whole numbers: an image's statistics do not depend on what it was batched with.
    """
    count, height, width, _ = pixels.shape
    bands = np.ascontiguousarray(pixels.reshape(count, -1, 3).transpose(2, 0, 1)).astype(np.int32)
    luma = sum(share * band for share, band in zip(_LUMA, bands)).reshape(count, height, width)
    steps = np.abs(np.diff(luma, axis=1)).sum((1, 2)) + np.abs(np.diff(luma, axis=2)).sum((1, 2))
    mean = bands.sum(2) / (height * width)
    pairs = [(i, j) for i in range(3) for j in range(3)]
    square = {(i, j): (bands[i] * bands[j]).sum(1) / (height * width) for i, j in pairs if i <= j}

    def average(weights: tuple[float, float, float]) -> np.ndarray:
        return sum(weight * band for weight, band in zip(weights, mean))

    def spread(weights: tuple[float, float, float]) -> np.ndarray:
        """Return the standard deviation of the weighted sum of R, G and B."""
        variance = sum(weights[i] * weights[j] * (square[min(i, j), max(i, j)] - mean[i] * mean[j]) for i, j in pairs)
        return np.sqrt(np.maximum(variance, 0))

    brightness, contrast = average(_LUMA_SHARES), spread(_LUMA_SHARES)
    sharpness = steps / max(1, (height - 1) * width + height * (width - 1)) / 1000
    red_green, yellow_blue = (1, -1, 0), (0.5, 0.5, -1)
    colour = np.hypot(spread(red_green), spread(yellow_blue))
    colour += 0.3 * np.hypot(average(red_green), average(yellow_blue))
    return np.stack([brightness, contrast, sharpness, colour], axis=1) / 255
