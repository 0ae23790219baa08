"""Image statistics that are stored as features of the examples."""

from __future__ import annotations

import numpy as np

_LUMA_SHARES = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LUMA = np.array([299.0, 587.0, 114.0])  # the same in thousandths, so that sums stay whole numbers

_MOMENTS_PIXELS = 2**18  # in one step of `statistics`: bounds its memory to some 20 MB


def statistics(pixels: np.ndarray) -> np.ndarray:
    """Return float64 [N, 4] of uint8 [N, H, W, 3]: brightness, contrast, sharpness, colourfulness (features.py).

    All four follow from sums of whole numbers, which float64 holds exactly: an image's statistics do not depend on
    what it was batched with.
    """
    count, height, width, _ = pixels.shape
    first = np.zeros((count, 3))
    second = np.zeros((count, 3, 3))
    steps = np.zeros(count)
    rows = max(1, _MOMENTS_PIXELS // (count * width))
    for top in range(0, height, rows):
        band = pixels[:, top : top + rows + 1].astype(np.float64)  # and the next row, for the steps down
        planes = np.ascontiguousarray(band.reshape(count, -1, 3).transpose(0, 2, 1))
        luma = (_LUMA @ planes).reshape(band.shape[:3])
        steps += np.abs(np.diff(luma, axis=1)).sum((1, 2))
        steps += np.abs(np.diff(luma[:, :rows], axis=2)).sum((1, 2))
        planes = planes[:, :, : rows * width]
        first += planes.sum(2)
        second += planes @ planes.transpose(0, 2, 1)
    mean = (first / (height * width)).T
    square = (second / (height * width)).transpose(1, 2, 0)

    def average(weights: tuple[float, float, float]) -> np.ndarray:
        return sum(weight * band for weight, band in zip(weights, mean))

    def spread(weights: tuple[float, float, float]) -> np.ndarray:
        """Return the standard deviation of the weighted sum of R, G and B."""
        pairs = [(i, j) for i in range(3) for j in range(3)]
        variance = sum(weights[i] * weights[j] * (square[i, j] - mean[i] * mean[j]) for i, j in pairs)
        return np.sqrt(np.maximum(variance, 0))

    brightness, contrast = average(_LUMA_SHARES), spread(_LUMA_SHARES)
    sharpness = steps / max(1, (height - 1) * width + height * (width - 1)) / 1000
    red_green, yellow_blue = (1, -1, 0), (0.5, 0.5, -1)
    colour = np.hypot(spread(red_green), spread(yellow_blue))
    colour += 0.3 * np.hypot(average(red_green), average(yellow_blue))
    return np.stack([brightness, contrast, sharpness, colour], axis=1) / 255
