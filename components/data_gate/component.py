"""DataGate: stops the run when the data cannot be trusted. Transform and everything after wait for it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.data_gate.executor import Executor
from components.tfx_types import filled


class DataFindings(types.Artifact):
    """The findings in data that passed the gate: the two files named in contracts/findings.py."""

    TYPE_NAME = "DataFindings"


class DataGateSpec(types.ComponentSpec):
    INPUTS = {  # noqa: RUF012 (so TFX wants it)
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "previous": ChannelParameter(type=DataFindings, optional=True),
    }
    OUTPUTS = {"findings": ChannelParameter(type=DataFindings)}  # noqa: RUF012
    PARAMETERS = {  # noqa: RUF012
        "actions": ExecutionParameter(type=str),
        "max_rejected": ExecutionParameter(type=float),
        "max_dropped": ExecutionParameter(type=float),
    }


class DataGate(base_beam_component.BaseBeamComponent):
    """Checks the data by the earlier stages' artifacts and by its pixels.

    Its output `findings` exists only if the run may continue: every downstream stage waits for it.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self, actions: Mapping[str, str], max_rejected: float, max_dropped: float, **inputs: types.BaseChannel | None
    ) -> None:
        """Make the node.

        Args:
          actions: "stop", "warn" or "off" for each of contracts.findings.KINDS; "drop" where ExampleGen left them out.
          max_rejected: fraction of the images that may be unusable before it is a finding.
          max_dropped: fraction of the images that may be dropped as copies of others before it is a finding.
          inputs: those of DataGateSpec: `examples` with the splits of features.SPLITS, `statistics` and `anomalies` of
            all of them, the `schema` that the anomalies were found by, and as `previous` the findings of the data
            accepted before (see previous.py), to measure drift against.
        """
        limits = {"max_rejected": float(max_rejected), "max_dropped": float(max_dropped)}
        parameters = {"actions": json.dumps(dict(actions), sort_keys=True), **limits}
        super().__init__(spec=filled(self.SPEC_CLASS, **parameters, **inputs))
