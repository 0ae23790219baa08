"""The confusion matrix of the page: the order of its classes, its cells as short text, and the top confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from components.report import packed

LARGEST_TABLE = 40  # classes whose matrix is a table of numbers; more are drawn as a heat map
CELLS = 100_000  # of a heat map, stored in the page at most: the largest
OPTIMAL = 500  # classes whose order is made the best one; its time grows with their cube
CONFUSIONS = 12  # pairs of classes listed


class Confusion(NamedTuple):
    """A cell of the confusion matrix off its diagonal."""

    name: str
    predicted: str
    images: int
    of: int  # images of the class
    cell: str  # its key on the page


def view(names: Sequence[str], counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return the matrix for the template, and `page` for the page's script: None where the matrix is a table."""
    matrix = np.array(counts, np.int64).reshape(len(names), len(names))
    as_table = len(names) <= LARGEST_TABLE
    cells = np.argwhere(matrix)
    values = matrix[cells[:, 0], cells[:, 1]]
    kept = np.sort(np.argsort(-values, kind="stable")[:CELLS])
    page = {
        "order": order(matrix),
        "totals": matrix.sum(axis=1).tolist(),
        "rows": packed.uint16(cells[kept, 0]),
        "columns": packed.uint16(cells[kept, 1]),
        "counts": packed.uint32(values[kept]),
    }
    return {
        "as_table": as_table,
        "rows": matrix.tolist() if as_table else [],
        "largest": int(matrix.max(initial=1)),
        "left_out": 0 if as_table else len(values) - len(kept),
        "top": top(names, matrix, cells, values),
        "page": None if as_table else page,
    }


def top(names: Sequence[str], matrix: np.ndarray, cells: np.ndarray, values: np.ndarray) -> list[Confusion]:
    """Return the top confusions, most images first."""
    off = cells[:, 0] != cells[:, 1]
    pairs, images = cells[off], values[off]
    totals = matrix.sum(axis=1)
    return [
        Confusion(names[i], names[j], int(images[at]), int(totals[i]), f"{i}-{j}")
        for at in np.argsort(-images, kind="stable")[:CONFUSIONS]
        for i, j in (pairs[at].tolist(),)
    ]


def order(matrix: np.ndarray) -> list[int]:
    """Order the classes so that those that are mixed up are neighbours: the leaves of their hierarchical clustering.

    Two classes are as near as the mean of the shares of each that was predicted as the other; clusters by their mean.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 3:
        return list(range(len(matrix)))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=len(matrix) <= OPTIMAL)
    return [int(leaf) for leaf in leaves_list(tree)]
