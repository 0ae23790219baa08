"""The parameters of a run: values that may differ from run to run of one compiled spec, under the rules of a config."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from components.config import RUN_PARAMETER, Section, first_error, marked
from components.errors import UserError
from pipeline.config import Config
from pipeline.platforms.vertex import names

# How numbers are written: Python's own functions also take 1_000, spaces and the digits of other scripts.
NUMBERS = {int: r"[+-]?[0-9]+", float: r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"}
LARGEST = 2**53  # a parameter is a double there


class Parameter(NamedTuple):
    """A value that may differ from run to run of one spec, and where the spec puts it."""

    stage: str
    key: str  # the stage's execution property
    default: Any
    model: BaseModel | None  # the section or gate that holds it, and its field there; None: the path of the data
    field: str


def of(config: Config) -> dict[str, Parameter]:
    """Return the parameters of a run, by name: where the data lies, what the sections mark, and the bounds of gates.

    Raises:
      UserError: the data cannot be read from Vertex AI.
    """
    marks = {
        name: Parameter(section.stage, name, getattr(section, name), section, name)
        for _, section in config
        if isinstance(section, Section)
        for name in marked(type(section), RUN_PARAMETER)
        if getattr(section, name) is not None
    }
    gates = {
        gate.key: Parameter("Evaluator", gate.key, gate.limit, gate, gate.bound) for gate in config.evaluator.table()
    }
    return {"data": Parameter("ExampleGen", "input_base", names.data(config), None, ""), **marks, **gates}


def values(config: Config, given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the values of the parameters that are given as text, by name.

    Raises:
      UserError: there is no such parameter, it is given twice, or the configuration would refuse the value.
    """
    known = of(config)
    result: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            near = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known))}"
            raise UserError(f"the pipeline has no parameter {name!r}; {hint}")
        if name in result:
            raise UserError(f"--param {name} is given twice: leave one of them")
        try:
            result[name] = check(config, known[name], _typed(text, type(known[name].default)))
        except ValueError as error:
            message = first_error(error) if isinstance(error, ValidationError) else str(error)
            raise UserError(f"--param {name}={text}: {message}") from None
    return result


def check(config: Config, parameter: Parameter, value: Any) -> Any:
    """Return the value as a run is given it.

    Raises:
      ValueError: the configuration would refuse it.
      UserError: it is a path of data that cannot be read from Vertex AI.
    """
    model = parameter.model
    if model is None:
        return names.data(config, str(value))
    type(model).model_validate({**model.model_dump(exclude_unset=True), parameter.field: value})
    return value


def _typed(text: str, kind: type) -> Any:
    if kind is str:
        return text
    if not re.fullmatch(NUMBERS[kind], text) or not math.isfinite(float(text)):
        raise ValueError("it is a whole number" if kind is int else "it is a number")
    if kind is int and abs(int(text)) > LARGEST:
        raise ValueError(f"a whole number is at most {LARGEST} on Vertex AI")
    return kind(text)
