"""The executor of DataGate: runs the gate on the artifacts of a run and stores its findings."""

from __future__ import annotations

import json
import os
from typing import Any

from absl import logging
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.contracts import features as f
from components.contracts import findings, statistics
from components.data_gate import gate
from components.data_gate.rejected import Limits
from components.tfx_types import Artifacts


class Executor(base_beam_executor.BaseBeamExecutor):
    """See component.DataGate for inputs, outputs and parameters."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the `findings`.

        Raises:
          GateRefused: a finding of a kind that is set to "stop" was reported.
        """
        uris = {key: artifacts[0].uri for key, artifacts in input_dict.items() if artifacts}
        out = artifact_utils.get_single_uri(output_dict["findings"])
        reported = gate.run_checks(
            uris,
            json.loads(exec_properties["actions"]),
            Limits(exec_properties["max_rejected"], exec_properties["max_dropped"]),
            self._make_beam_pipeline(),
            scratch=os.path.join(out, "same_pixels"),
        )
        for finding in reported:
            logging.warning("%s: %s", finding.kind, finding.message)
        gate.raise_on_stop(reported)
        findings.write(out, reported)
        fileio.copy(statistics.path(uris["statistics"], f.TRAIN), os.path.join(out, findings.TRAIN_STATISTICS_FILE))
