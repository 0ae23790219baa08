"""The order of the classes, and the cells that a page stores."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from components.report import confusion


def test_classes_that_are_mixed_up_are_neighbours() -> None:
    """Of six classes 0 and 3, 1 and 4, 2 and 5 are mixed up."""
    matrix = np.eye(6, dtype=int) * 6
    for a, b in ((0, 3), (1, 4), (2, 5)):
        matrix[a, b] = matrix[b, a] = 4
    order = confusion.order(matrix)
    assert sorted(order) == list(range(6))
    assert all(abs(order.index(a) - order.index(b)) == 1 for a, b in ((0, 3), (1, 4), (2, 5)))
    assert confusion.order(matrix) == order


@pytest.mark.parametrize("classes", [0, 1, 2, 3])
def test_few_classes_and_empty_ones_have_an_order(classes: int) -> None:
    assert sorted(confusion.order(np.zeros((classes, classes), int))) == list(range(classes))


def test_the_cells_of_a_heat_map_are_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 3, (50, 50))
    matrix[7, 9] = 70_000
    names = [f"kind {i}" for i in range(50)]

    def stored(view: dict[str, Any]) -> np.ndarray:
        kinds = {"rows": "<u2", "columns": "<u2", "counts": "<u4"}
        return np.stack([np.frombuffer(base64.b64decode(view["page"][k]), t).astype(int) for k, t in kinds.items()], 1)

    view = confusion.view(names, matrix.tolist())
    assert (view["as_table"], view["rows"], view["left_out"]) == (False, [], 0)
    back = np.zeros_like(matrix)
    for row, column, count in stored(view):
        back[row, column] = count
    assert (back == matrix).all()
    assert view["page"]["totals"] == matrix.sum(axis=1).tolist()

    monkeypatch.setattr(confusion, "CELLS", 100)
    view = confusion.view(names, matrix.tolist())
    assert len(stored(view)) == 100
    assert view["left_out"] == np.count_nonzero(matrix) - 100
    assert [7, 9, 70_000] in stored(view).tolist(), "the largest are kept"


def test_the_top_confusions_are_the_most_frequent_errors() -> None:
    view = confusion.view(["a", "b", "c"], [[9, 2, 0], [0, 5, 4], [1, 0, 0]])
    assert view["as_table"]
    assert [(one.name, one.predicted, one.images, one.of, one.cell) for one in view["top"]] == [
        ("b", "c", 4, 9, "1-2"),
        ("a", "b", 2, 11, "0-1"),
        ("c", "a", 1, 1, "2-0"),
    ]
