"""The network as text: a line a layer.

Keras' own `summary` is as wide as the terminal, if there is one, drops the columns that do not fit, and draws with the
characters that the terminal knows. This text is a file of the ModelRun, which may depend on none of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras

_HEAD = ("Layer", "Type", "Output shape", "Parameters", "Trained")


def text(model: keras.Model) -> str:
    """Return the layers of `model`, those within a layer indented below it, and the numbers of parameters."""
    rows = [_HEAD, *_rows(model, "")]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {shape:<{widths[2]}}  {parameters:>{widths[3]}}  {trained}".rstrip()
        for name, kind, shape, parameters, trained in rows
    ]
    trained, fixed = (_count(weights) for weights in (model.trainable_weights, model.non_trainable_weights))
    totals = (("Parameters", trained + fixed), ("Trained", trained), ("Not trained", fixed))
    lines = [lines[0], "-" * max(map(len, lines)), *lines[1:], "", *(f"{title:<12}{n:>13,}" for title, n in totals)]
    return "\n".join(lines) + "\n"


def _rows(model: Any, indent: str) -> Iterator[tuple[str, str, str, str, str]]:
    for layer in model.layers:
        trained = ("yes" if layer.trainable_weights else "no") if layer.weights else ""
        yield indent + layer.name, type(layer).__name__, _shape(layer), f"{_count(layer.weights):,}", trained
        if isinstance(layer, keras.Model):
            yield from _rows(layer, f"{indent}  ")


def _shape(layer: keras.Layer) -> str:
    try:
        return str(tuple(layer.output.shape))
    except AttributeError:  # it has several outputs, or is called within a layer of the user's own, where none is known
        return "?"


def _count(weights: list[keras.Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)
