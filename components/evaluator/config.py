"""The section `evaluator` of the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from components.config import RUN_PARAMETER, Fraction, Section
from components.contracts import gates as model_gates


class Evaluator(Section):
    """The gates that a model must pass on the test split to be blessed."""

    stage: ClassVar[str] = "Evaluator"

    min_accuracy: Annotated[float | None, Field(ge=0, le=1), RUN_PARAMETER] = Field(
        None,
        description="Minimum accuracy over the whole test split. With or without it, the interval of the accuracy must "
        "begin at the share of the most frequent class or above; 0 turns off both",
    )
    min_class_recall: Annotated[Fraction, RUN_PARAMETER] = Field(0.2, description="Minimum recall of every class")
    max_drop: Annotated[Fraction, RUN_PARAMETER] = Field(
        0.01, description="How much lower than the baseline's the accuracy may be"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="Confidence level of the intervals")
    gates: tuple[model_gates.Gate, ...] = Field(
        (),
        description="More that a model must reach (docs/gates.md); a gate of what a setting above holds replaces "
        "it. The bound of each is a run parameter on Vertex AI",
    )

    @model_validator(mode="after")
    def _hold_each_thing_once(self) -> Evaluator:
        self.table()
        return self

    def table(self) -> list[model_gates.Gate]:
        """Return all gates: those of the short settings, and the listed ones."""
        return model_gates.table({name: getattr(self, name) for name in model_gates.SHORT}, self.gates)
