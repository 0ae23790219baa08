"""TFX's artifacts and executors, made as the pipeline makes them, for tests of single stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contracts import features as f
from pipeline import ROOT

BEAM_ARGS = [
    "--runner=FnApiRunner",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    f"--setup_file={ROOT / 'setup.py'}",  # else TFX packs itself up for each stage: a second
]


def beam_executor(kind: Any, tmp_dir: Path) -> Any:
    """An executor of the class `kind` that runs Beam in this process."""
    return kind(kind.Context(beam_pipeline_args=list(BEAM_ARGS), tmp_dir=str(tmp_dir), unique_id="1"))


def examples_artifact(uri: Path | str, splits: Sequence[str] = f.SPLITS) -> Any:
    from tfx.types import artifact_utils, standard_artifacts

    artifact = standard_artifacts.Examples()
    artifact.uri, artifact.split_names = str(uri), artifact_utils.encode_split_names(list(splits))
    return artifact


def model_artifact(uri: Path | str, model_id: int = 1) -> Any:
    from tfx.types import standard_artifacts

    artifact = standard_artifacts.Model()
    artifact.uri, artifact.id = str(uri), model_id
    return artifact
