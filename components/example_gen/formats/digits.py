"""scikit-learn's handwritten digits, `--data digits`: 8 x 8 values from 0 to 16, enlarged four times.

E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components import files
from components.errors import UserError
from components.example_gen.formats.base import Features, Format, Inventory, Listing, Record, Source
from components.example_gen.layout import SplitAndClass

_FILE = "digits.csv.gz"


def _dataset(cache_dir: str) -> Source:
    del cache_dir  # it comes with scikit-learn
    spec = importlib.util.find_spec("sklearn")  # does not import it: that takes a second
    for folder in (spec and spec.submodule_search_locations) or ():
        data = Path(folder, "datasets", "data")
        if (data / _FILE).is_file():
            return Source("digits", "digits", str(data), _FILE)
    raise UserError("digits: scikit-learn's digits.csv.gz is not in this environment. Install scikit-learn.")


def _inventory(listing: Listing, features: Features) -> Inventory:
    return Inventory([_Unit(listing.path)], title="digits")


@dataclass(frozen=True)
class _Unit:
    path: str
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Record]:
        del max_bytes  # its images have one size
        with files.open_binary(self.path) as file, gzip.open(file, "rt") as lines:
            table = np.loadtxt(lines, delimiter=",", dtype=np.int64)
        grey = np.clip(table[:, :-1].reshape(-1, 8, 8) * 16, 0, 255).astype(np.uint8)
        pixels = grey.repeat(4, axis=1).repeat(4, axis=2)[..., None].repeat(3, axis=3)
        for row, label in enumerate(table[:, -1]):
            yield Record(f"digits.csv:{row}", SplitAndClass(None, int(label)), pixels[row])


FORMAT = Format("digits", "", _inventory, dataset=_dataset)
