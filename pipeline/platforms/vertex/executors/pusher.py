"""The executor of Pusher on Vertex AI: also adds the model to the Model Registry and to an endpoint."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.contracts import evaluation as evaluations
from components.pusher import executor
from components.tfx_types import Artifacts
from pipeline.platforms.vertex import labels
from pipeline.platforms.vertex.cloud import FAILED, connect, explain
from pipeline.platforms.vertex.config import Vertex
from pipeline.platforms.vertex.executors import evaluation, report
from pipeline.platforms.vertex.names import NOT_REGISTERED
from pipeline.platforms.vertex.registry import CHAMPION, Registry, Version, holder
from pipeline.platforms.vertex.serving import Serving

EVALUATION = "evaluation"  # input: the Evaluator's artifact
PIPELINE = "pipeline"  # label of a version, beside labels.RUN


class Executor(executor.Executor):
    """Pushes to a bucket, then registers the version that was pushed, with its evaluation, and deploys it.

    `custom_config` holds: name (of the model, and of the endpoint), confidence (of the Evaluator's intervals), and
    vertex (what `Vertex` needs of the configuration).
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not pushed.get_int_custom_property("pushed"):
            return
        folder = pushed.get_string_custom_property("pushed_destination")
        if not folder.startswith("gs://"):  # the spec runs on a machine, whose user may well have an account
            reason = f"the Model Registry takes models on gs:// only, and this one is in {folder}"
            logging.warning("Not registered: %s", reason)
            pushed.set_string_custom_property(NOT_REGISTERED, reason)
            return
        settings = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        vertex, name = Vertex(**settings["vertex"]), settings["name"]
        evaluated = artifact_utils.get_single_uri(input_dict[EVALUATION])
        run, page = labels.given().get(labels.RUN, ""), report.page(evaluated)
        serving = Serving(connect(vertex), vertex, name)
        version = serving.registry.register(
            folder,
            vertex.deploy.image,
            f"Pushed by the run {run} of the pipeline {name}. Report: {page}",
            {**vertex.labels, PIPELINE: labels.value(name), labels.RUN: run},
            vertex.encryption_key,
        )
        logging.info("Registered %s as %s", folder, version.name)
        pushed.set_string_custom_property("registered_model", version.name)
        about = {PIPELINE: name, "pipeline_job_id": run, "report": page, evaluation.SOURCE: evaluated}
        imported = import_evaluation(serving.registry, version, settings["confidence"], about)
        pushed.set_string_custom_property("model_evaluation", imported)
        if endpoint := serve(serving, vertex, version):
            pushed.set_string_custom_property("endpoint", endpoint)


def serve(serving: Serving, vertex: Vertex, version: Version) -> str:
    """Deploy the version if the configuration says so; return the resource name of the endpoint.

    Where the registry is as far as a model goes, nothing else serves, and the version is the champion at once.
    """
    if vertex.deploy.to == "endpoint":
        endpoint = serving.deploy(version, vertex.deploy.traffic)
        logging.info("Deployed to %s", endpoint)
        return endpoint
    serving.registry.make_champion(version, holder(serving.registry.versions(), CHAMPION))
    return ""


def import_evaluation(registry: Registry, version: Version, confidence: float, about: dict[str, Any]) -> str:
    """Import the Evaluator's results; return the resource name, or why Vertex AI refused them: the push continues.

    Args:
      registry: that has the version.
      version: that was evaluated.
      confidence: of the intervals, in (0, 1).
      about: metadata of the evaluation.
    """
    measured = evaluations.read(about[evaluation.SOURCE], confidence)
    try:
        return evaluation.upload(registry.client, version.name, measured, about)
    except FAILED as error:
        reason = f"not imported: {explain(error)}"
        logging.error("The evaluation of %s was %s", version.name, reason)
        return reason
