"""The pipeline as Vertex AI Pipelines reads it: KubeflowV2DagRunner writes the spec, nothing is sent."""

from __future__ import annotations

from pathlib import Path

from components.errors import UserError
from pipeline.config import Config


def run(config: Config, output: Path) -> None:
    """`vertex compile`: write the spec of the pipeline to `output`, JSON."""
    raise UserError("vertex compile is not finished")
