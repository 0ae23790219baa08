"""The section `gate` of the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from components.config import RUN_PARAMETER, Fraction, Section
from components.contracts.findings import CONFLICTS, DROP, DUPLICATES, LEAKS

_OFF = BeforeValidator(lambda value: "off" if value is False else value)  # YAML reads a bare `off` as False
Action = Annotated[Literal["stop", "warn", "off"], _OFF]
CopyAction = Annotated[Literal["drop", "stop", "warn", "off"], _OFF]


class Gate(Section):
    """The action for each kind of finding: leave the images out (ExampleGen), stop the run, warn, or do not look."""

    stage: ClassVar[str] = "DataGate"

    anomalies: Action = Field(
        "stop", description="What ExampleValidator finds when it compares the data with the schema"
    )
    rejected: Action = Field(
        "stop", description="More images than max_rejected could not be used, or more than max_dropped were dropped"
    )
    leaks: CopyAction = Field(
        "drop", description="The same pixels in more than one split; drop keeps those of test, else of validation"
    )
    conflicts: CopyAction = Field(
        "drop", description="The same pixels under more than one label; drop leaves out all copies"
    )
    duplicates: CopyAction = Field(
        "drop", description="The same pixels more than once in one class and split; drop leaves out all copies but one"
    )
    max_rejected: Annotated[Fraction, RUN_PARAMETER] = Field(
        0.01, description="Fraction of the images that may be unusable before it is a finding"
    )
    max_dropped: Annotated[Fraction, RUN_PARAMETER] = Field(
        0.1, description="Fraction of the images that may be dropped as copies of others before it is a finding"
    )

    @property
    def actions(self) -> dict[str, str]:
        """Return the action for each kind of finding."""
        return self.model_dump(exclude={"max_rejected", "max_dropped"})

    @property
    def drop(self) -> tuple[str, ...]:
        """Return the kinds of findings whose images are left out."""
        return tuple(kind for kind in (LEAKS, CONFLICTS, DUPLICATES) if self.actions[kind] == DROP)
