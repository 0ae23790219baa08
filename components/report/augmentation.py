"""The samples of the augmentation, cut into the images of a table, and one of them before and after normalisation."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from components.contracts import training

SHOWN = 2.5  # standard deviations from the mean that are shown as black and as white


class Samples(NamedTuple):
    """The images of the page, as data URIs.

    Attributes:
      rows: of each class its image and variations of it.
      whole: all of them as one image, where the record does not say which is which; else None.
      before, after: an image, and the same normalised; None where the normalisation is not known.
    """

    rows: list[tuple[str, list[str]]]
    whole: str | None
    before: str | None = None
    after: str | None = None


def view(folder: str, setup: training.Setup | None) -> Samples | None:
    """Return the samples in the ModelRun at `folder`; None if it has none."""
    png, known = training.read_samples(folder), training.read_sample_rows(folder)
    if png is None:
        return None
    if known is None:
        return Samples([], _uri(png))
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB"))
    side = known.side
    cells = [
        [_encoded(pixels[y * side : (y + 1) * side, x * side : (x + 1) * side]) for x in range(pixels.shape[1] // side)]
        for y in range(len(known.classes))
    ]
    rows = list(zip(known.classes, cells))
    if setup is None:
        return Samples(rows, None)
    return Samples(rows, None, cells[0][0], _encoded(_normalised(pixels[:side, :side], setup)))


def _normalised(pixels: np.ndarray, setup: training.Setup) -> np.ndarray:
    """Return uint8 [N, N, 3] that shows the normalised image: mid grey is 0, black and white are SHOWN deviations."""
    values = (pixels - np.array(setup.mean)) / np.array(setup.deviation)
    return np.clip((values / SHOWN + 1) * 127.5, 0, 255).round().astype(np.uint8)


def _encoded(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return _uri(out.getvalue())


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
