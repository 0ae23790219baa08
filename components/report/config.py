"""The section `card` of the configuration."""

from __future__ import annotations

from pydantic import Field

from components.config import Section


class Card(Section):
    """The statements of the model card that no artifact knows."""

    owner: str | None = Field(None, description="Who answers for the model: a person or a team, and how to reach them")
    data_licence: str | None = Field(None, description="Licence of the images and their labels, as CC BY 4.0")
