"""Two runs to compare: what is read of each, and the page that shows them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_metadata as mlmd

from components.errors import UserError
from components.report import comparison_page
from components.report.comparison import ComparedRun
from pipeline.config import Config, flatten
from pipeline.runs import report, run_dir
from pipeline.runs import result as results
from pipeline.tracking import metadata

# The artifacts that are read, by stage and output key.
_READ = {
    "examples": ("ExampleGen", "examples"),
    "statistics": ("StatisticsGen", "statistics"),
    "model_run": ("Trainer", "model_run"),
    "predictions": ("ServingCheck", "predictions"),
}


def collect(store: mlmd.MetadataStore, folder: Path) -> ComparedRun:
    """Return what is compared of the run in a folder of the run directory."""
    stages = metadata.stages(store, folder.name)
    artifacts = {key: metadata.latest_complete(stages, *where) for key, where in _READ.items()}
    examples = artifacts["examples"]
    config = flatten(run_dir.read_config(folder))
    return ComparedRun(
        result=results.read(folder / run_dir.RESULT_FILE),
        config={key: value for key, value in config.items() if key != "run_dir"},
        code={name: code for name, stage in stages.items() if (code := _code(store, stage))},
        fingerprint=str(metadata.property_value(examples, "input_fingerprint") or "") if examples else "",
        artifacts={key: artifact.uri for key, artifact in artifacts.items() if artifact},
    )


def _code(store: mlmd.MetadataStore, stage: metadata.Stage) -> str | None:
    """Return the fingerprint of the code that made the stage's outputs; None where it is not known.

    A partial run records none for the stages before its first: their outputs are those of the run that made them.
    """
    resolves = stage.execution.type.endswith(".Resolver")  # it makes nothing: its outputs are another stage's
    output_ids = [] if resolves else [artifact.id for artifacts in stage.outputs.values() for artifact in artifacts]
    events = metadata.events_of_artifacts(store, output_ids) if output_ids else []
    makers = sorted({event.execution_id for event in events if event.is_output})
    executions = [stage.execution, *(store.get_executions_by_id(makers) if makers else [])]
    codes = (metadata.property_value(execution, "code_fingerprint") for execution in executions)
    return next((str(code) for code in codes if code is not None), None)


def write_page(
    config: Config,
    folders: Sequence[Path],
    compared: Sequence[ComparedRun],
    differences: dict[str, Any],
    path: Path | None = None,
) -> Path:
    """Write the page of a comparison and return its path.

    Args:
      config: of the run directory.
      folders: of the two runs.
      compared: the two runs, as `collect` returns them.
      differences: of the two, as components.report.comparison.compare returns them.
      path: of the page; if None it is in the run directory, and the page of all runs links to it.

    Raises:
      UserError: it cannot be written.
    """
    page = path or run_dir.comparisons(config) / f"{folders[0].name}..{folders[1].name}.html"
    reports = [folder / run_dir.REPORT_FILE for folder in folders]
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        comparison_page.write(differences, compared, reports, page, [report.index_page(config)])
    except OSError as error:
        raise UserError(f"cannot write {page}: {error.strerror}") from None
    if path is None:
        report.make_index(config)
    return page
