"""Hands the artifacts of a run to the gate, and keeps what it found."""

from __future__ import annotations

import json
import os
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.contracts import features as f
from components.data_gate import gate
from components.data_gate.findings import FINDINGS_FILE, TRAIN_STATISTICS_FILE

# The names under which StatisticsGen, ExampleValidator and SchemaGen write.
_STATISTICS_FILE, _ANOMALIES_FILE, _SCHEMA_FILE = "FeatureStats.pb", "SchemaDiff.pb", "schema.pbtxt"


class Executor(base_beam_executor.BaseBeamExecutor):
    """See component.DataGate for inputs, outputs and parameters."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the `findings`.

        Raises:
          GateRefused: a finding of a kind that is set to "stop" was made.
        """

        def files(key: str, name: str) -> dict[str, str]:
            return {
                split: os.path.join(artifact_utils.get_split_uri(input_dict[key], split), name) for split in f.SPLITS
            }

        statistics = files("statistics", _STATISTICS_FILE)
        previous = input_dict.get("previous")
        data = gate.Data(
            examples=artifact_utils.get_single_uri(input_dict["examples"]),
            files={split: _list(folder) for split, folder in files("examples", "").items()},
            statistics=statistics,
            anomalies=files("anomalies", _ANOMALIES_FILE),
            schema=os.path.join(artifact_utils.get_single_uri(input_dict["schema"]), _SCHEMA_FILE),
            previous=os.path.join(previous[0].uri, TRAIN_STATISTICS_FILE) if previous else None,
        )
        out = artifact_utils.get_single_uri(output_dict["findings"])
        findings = gate.examine(
            data,
            json.loads(exec_properties["actions"]),
            exec_properties["max_rejected"],
            self._make_beam_pipeline(),
            scratch=os.path.join(out, "same_pixels"),
        )
        for finding in findings:
            logging.warning("%s: %s", finding.kind, finding.message)
        gate.refuse(findings)
        fileio.makedirs(out)
        with fileio.open(os.path.join(out, FINDINGS_FILE), "w") as file:
            file.write(json.dumps([finding.to_json() for finding in findings], indent=1))
        fileio.copy(statistics[f.TRAIN], os.path.join(out, TRAIN_STATISTICS_FILE))


def _list(folder: str) -> list[str]:
    return sorted(os.path.join(folder, str(name)) for name in fileio.listdir(folder))
