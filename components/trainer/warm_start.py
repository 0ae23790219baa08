"""Warm start: training that begins with the weights of an earlier model."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras
import tensorflow as tf

from components.contracts.model import names_of
from components.errors import UserError


def load_weights(model: keras.Model, class_names: Sequence[str], exported: str, network: int, ensemble: int) -> None:
    """Load the weights of an exported model, or of one of its networks, into `model`.

    Args:
      model: built.
      class_names: in the order of its logits.
      exported: folder of the SavedModel that `components.trainer.export` wrote.
      network: which one of the ensemble `model` is, from 0.
      ensemble: networks in it; the exported model must have as many.

    Raises:
      UserError: it cannot be read, has other classes or another architecture.
    """
    try:
        loaded = tf.saved_model.load(exported)
        names = names_of(loaded)
        weights = loaded.variables
    except (OSError, KeyError, AttributeError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise UserError(
            f"--warm-start: the model in {exported} cannot be read ({reason}); run without --warm-start"
        ) from error
    if names != list(class_names):
        new, gone = sorted(set(class_names) - set(names)), sorted(set(names) - set(class_names))
        differences = [*(f"+{name!r}" for name in new), *(f"-{name!r}" for name in gone)] or ["another order"]
        raise UserError(
            f"--warm-start: the blessed model has {len(names)} classes and the data {len(class_names)} "
            f"({', '.join(differences[:5])}); run without --warm-start"
        )
    ours, theirs = [tuple(v.shape) for v in model.variables], [tuple(v.shape) for v in weights]
    networks = len(theirs) // len(ours)
    if networks != ensemble and theirs == ours * networks:
        raise UserError(
            f"--warm-start: the blessed model has trainer.ensemble {networks} and not {ensemble}; "
            "use the settings it was trained with, or run without --warm-start"
        )
    size = len(weights) // ensemble
    weights, theirs = (all_of_them[network * size :][:size] for all_of_them in (weights, theirs))
    if ours != theirs:
        place = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        where = model.variables[place].path if place < len(ours) else "what follows the last layer"
        raise UserError(
            f"--warm-start: the architecture of the blessed model in {os.path.normpath(exported)} differs "
            f"(first difference: {where}); use the settings it was trained with, or run without --warm-start"
        )
    for variable, weight in zip(model.variables, weights):
        variable.assign(weight)
