"""The section `serving` of the configuration."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from components.config import Folder, Section


class Serving(Section):
    """The folder that blessed models are served from."""

    stage: ClassVar[str] = "Pusher"

    dir: Folder | None = Field(None, description="Folder that models are pushed to; <run_dir>/serving if not set")
    timeout_seconds: int = Field(
        3600, ge=1, description="Seconds in which the exported model must predict the test split in ServingCheck"
    )
    keep: int | None = Field(None, ge=1, description="Newest versions of a model that `gc` leaves; all if not set")
