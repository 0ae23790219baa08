"""The section `gate` of the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from components.config import RUN_PARAMETER, Fraction, Section

# YAML reads a bare `off` as False.
Action = Annotated[Literal["stop", "warn", "off"], BeforeValidator(lambda value: "off" if value is False else value)]


class Gate(Section):
    """The action of DataGate for each kind of finding: stop the run, warn, or do not look."""

    stage: ClassVar[str] = "DataGate"

    anomalies: Annotated[
        Action, Field(description="What ExampleValidator finds when it compares the data with the schema")
    ] = "stop"
    rejected: Annotated[Action, Field(description="More images than max_rejected could not be used")] = "stop"
    leaks: Annotated[Action, Field(description="The same pixels in more than one split")] = "stop"
    conflicts: Annotated[Action, Field(description="The same pixels under more than one label")] = "stop"
    duplicates: Annotated[Action, Field(description="The same pixels more than once in one split")] = "warn"
    max_rejected: Annotated[
        Fraction, Field(description="Fraction of the images that may be rejected before it is a finding"), RUN_PARAMETER
    ] = 0.01
