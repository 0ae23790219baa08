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

    anomalies: Action = Field(
        "stop", description="What ExampleValidator finds when it compares the data with the schema"
    )
    rejected: Action = Field("stop", description="More images than max_rejected could not be used")
    leaks: Action = Field("stop", description="The same pixels in more than one split")
    conflicts: Action = Field("stop", description="The same pixels under more than one label")
    duplicates: Action = Field("warn", description="The same pixels more than once in one split")
    max_rejected: Annotated[Fraction, RUN_PARAMETER] = Field(
        0.01, description="Fraction of the images that may be rejected before it is a finding"
    )
