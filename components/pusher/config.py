"""The section `serving` of the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from components.config import Section


class Serving(Section):
    """The folder that blessed models are served from."""

    stage: ClassVar[str] = "Pusher"

    dir: Annotated[str | None, Field(description="Folder that models are pushed to; <run_dir>/serving if not set")] = (
        None
    )
    timeout_seconds: Annotated[
        int, Field(ge=1, description="Seconds in which the exported model must predict the test split in ServingCheck")
    ] = 3600
    keep: Annotated[
        int | None, Field(ge=1, description="Newest versions of a model that `gc` leaves; all if not set")
    ] = None
