"""The base class of the configuration's sections, their common types, and marks on their fields.

Each stage declares its section beside its code (`components/<stage>/config.py`); `pipeline/config.py` composes them.
The `description` of a field gives its meaning and unit, its type and bounds the valid values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Mark(NamedTuple):
    """A role of a field besides holding a value, given in its `Annotated` type."""

    name: str
    meaning: str


RUN_PARAMETER = Mark("run parameter", "it can differ from run to run of one compiled pipeline on Vertex AI")
TUNABLE = Mark("tunable", "the Tuner can search it: `tuner.space`")


class Section(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stage: ClassVar[str] = ""  # the one that takes the values, by its id

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `true` for a number, which pydantic takes for 1."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and kind in (int, float, int | None, float | None):
            raise ValueError(f"input should be a number, not {str(value).lower()}")
        return value


Fraction = Annotated[float, Field(ge=0, le=1)]
Folder = Annotated[str, AfterValidator(os.path.expanduser)]  # whose ~ no shell has replaced: of YAML, `=` or Python


def marked(section: type[Section], mark: Mark) -> Iterator[str]:
    """Yield the name of each field of `section` that has `mark`."""
    for name, field in section.model_fields.items():
        if mark in field.metadata:
            yield name


def first_error(error: Any) -> str:
    """Return what a pydantic ValidationError says first, in lower case and without pydantic's own words."""
    message = error.errors()[0]["msg"].removeprefix("Value error, ")
    return str(message[:1].lower() + message[1:])
