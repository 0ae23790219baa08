"""The section `transform` of the configuration."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from components.config import Section


class Transform(Section):
    """What an image is made into before it is trained on."""

    stage: ClassVar[str] = "Transform"

    size: int = Field(
        32,
        ge=8,
        le=1024,
        description="Height and width in pixels of the model's input. The default belongs to the network: "
        "pretrained ones 224, the others 32",
    )
    fit: Literal["squash", "crop", "pad"] = Field(
        "squash",
        description="How an image that is not square becomes so. squash: its proportions are lost; crop: the largest "
        "square in its middle is used; pad: all of it is used, between two bars of mid grey",
    )
