"""The executor of the stage Report: writes the report from the other stages' artifacts."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.contracts import counts, evaluation, findings, metrics, serving, tuning
from components.contracts.run_result import REPORT_FILE, STILL_RUNNING, ExitCode, Result
from components.report import build
from components.report.run import EXAMPLES, Run
from components.tfx_types import Artifacts
from components.versions import versions


class Executor(base_executor.BaseExecutor):
    """See component.Report for inputs, outputs and parameters."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write REPORT_FILE, without what a stage cannot know: the run's name, other stages' times, lineage."""
        uris = {key: artifacts[0].uri for key, artifacts in input_dict.items() if artifacts}
        parameters = {key: value for key, value in sorted(exec_properties.items()) if key != "code_fingerprint"}
        name, seed, confidence, config = (parameters.pop(key) for key in ("name", "seed", "confidence", "config"))
        measured = evaluation.read(uris["evaluation"], confidence)
        why = evaluation.failures(uris["evaluation"]) + serving.read(uris["infra_blessing"]).reasons
        reported = findings.with_few_examples(findings.read(uris["findings"]))
        result = Result(
            run_id="",
            name=name,
            source=parameters["data"],
            exit_code=ExitCode.REFUSED if why else STILL_RUNNING,
            log="",
            artifacts="",
            stages={stage: {"state": "done", "seconds": 0.0} for stage in ("DataGate", "ServingCheck")},
            counts=counts.read(uris[EXAMPLES]).totals(),
            metrics=measured.summary(),
            blessed=not why,
            why=why,
            warnings=[finding.message for finding in reported],
            findings=reported,
            trials=tuning.read_trials(uris["trials"]) if "trials" in uris else [],
        )
        run = Run(
            result=result,
            evaluation=measured,
            artifacts=uris,
            steps=[],
            config="# The parameters of this run:\n"
            f"{yaml.safe_dump(parameters, allow_unicode=True)}\n"
            "# What its pipeline was compiled with; the parameters go before it:\n"
            f"{config}",
            seed=seed,
            command="",
            versions=versions(),
        )
        artifact = artifact_utils.get_single_instance(output_dict["report"])
        for metric, estimate in measured.metrics.items():  # numbers that Vertex AI shows and compares
            if math.isfinite(value := metrics.value_of(estimate)):
                artifact.set_float_custom_property(metric, value)
        artifact.set_int_custom_property("blessed", int(not why))
        report = artifact.uri
        fileio.makedirs(report)
        with tempfile.TemporaryDirectory() as folder:  # the artifact may be remote
            build.build(run, Path(folder) / REPORT_FILE)
            for file in Path(folder).iterdir():  # the page, and the tables beside it
                fileio.copy(str(file), os.path.join(report, file.name), overwrite=True)
