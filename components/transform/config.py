"""The section `transform` of the configuration."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from components.config import Section


class Transform(Section):
    """What an image is made into before it is trained on."""

    stage: ClassVar[str] = "Transform"

    size: int = Field(32, ge=8, le=1024, description="Height and width in pixels of the model's input")
