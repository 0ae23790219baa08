"""Report: the page of a run, as its last stage. On this machine pipeline/runs/report.py makes it."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.experimental import simple_artifacts

from components.report.executor import Executor
from components.tfx_types import filled


class ReportSpec(types.ComponentSpec):
    # `findings` and `previous` are Files: what DataGate writes where only TFX's own types will do. The page is none,
    # or it would be taken for findings.
    INPUTS = {  # noqa: RUF012 (so TFX wants it)
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "previous": ChannelParameter(type=simple_artifacts.File, optional=True),
        "findings": ChannelParameter(type=simple_artifacts.File),
        "trials": ChannelParameter(type=standard_artifacts.TunerResults, optional=True),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "predictions": ChannelParameter(type=standard_artifacts.InferenceResult),
    }
    OUTPUTS = {"report": ChannelParameter(type=simple_artifacts.Metrics)}  # noqa: RUF012
    PARAMETERS = {  # noqa: RUF012
        "name": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
        "confidence": ExecutionParameter(type=float),
        "config": ExecutionParameter(type=str),
    }


class Report(base_component.BaseComponent):
    """One HTML file for a blessed or refused model. It does not wait for the push.

    Every other execution property, as the spec of Vertex AI adds them, is a parameter of the run and is shown on the
    page; one is `data`, where the images came from.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, name: str, seed: int, confidence: float, config: str, **inputs: types.BaseChannel) -> None:
        """Make the node.

        Args:
          name: of the data set and its model.
          seed: of the configuration.
          confidence: level of the intervals, in (0, 1).
          config: the whole configuration as YAML.
          inputs: of ReportSpec.
        """
        super().__init__(spec=filled(ReportSpec, name=name, seed=seed, confidence=confidence, config=config, **inputs))
