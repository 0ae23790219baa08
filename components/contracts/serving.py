"""The report of ServingCheck: whether the exported model serves, stored in its InfraBlessing."""

from __future__ import annotations

import dataclasses

from components.contracts import stored

REPORT_FILE = "serving_check.json"  # in the InfraBlessing: a ServingReport


@dataclasses.dataclass(frozen=True)
class ServingReport:
    """The verdict of the serving check.

    Attributes:
      blessed: whether the model is fit to serve.
      reasons: why it is not, a line each.
      pictures: images with a prediction.
      compared: of these, images for which all three signatures were compared.
      ties: images whose two highest probabilities are nearly the same.
    """

    blessed: bool
    reasons: list[str]
    pictures: int = 0
    compared: int = 0
    ties: int = 0


def read(blessing: str) -> ServingReport:
    """Read the report in the artifact at `blessing`."""
    return stored.read(ServingReport, f"{blessing}/{REPORT_FILE}")


def write(blessing: str, report: ServingReport) -> None:
    """Write the report into the artifact at `blessing`."""
    stored.write(report, f"{blessing}/{REPORT_FILE}")
