"""The executor of Pusher on Vertex AI: also adds the model to the Model Registry and to an endpoint."""

from __future__ import annotations

from typing import Any

from absl import logging
from google.cloud import aiplatform
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.pusher import executor
from components.tfx_types import Artifacts


class Executor(executor.Executor):
    """Pushes to a bucket, then registers the version that was pushed.

    `custom_config` holds: name (of the model, and of the endpoint), project, region, image (that serves a SavedModel),
    labels, encryption_key, service_account, and, where the model is to be deployed, endpoint: {"machine_type",
    "max_replicas"}.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if pushed.get_int_custom_property("pushed"):
            settings = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
            model = register(pushed.get_string_custom_property("pushed_destination"), settings)
            pushed.set_string_custom_property("registered_model", model.versioned_resource_name)
            if settings["endpoint"]:
                endpoint = deploy(model, settings)
                pushed.set_string_custom_property("endpoint", endpoint.resource_name)


def register(folder: str, settings: dict[str, Any]) -> aiplatform.Model:
    """Upload the SavedModel in `folder` as a new default version of the model with the name in `settings`.

    An existing version of this folder is left unchanged: the stage was stopped after creating it, and runs again.
    """
    aiplatform.init(
        project=settings["project"],
        location=settings["region"],
        encryption_spec_key_name=settings["encryption_key"],
    )
    earlier = aiplatform.Model.list(filter=f'display_name="{settings["name"]}"', order_by="create_time")
    if earlier and earlier[0].uri == folder:
        return earlier[0]
    model = aiplatform.Model.upload(
        display_name=settings["name"],
        parent_model=earlier[0].resource_name if earlier else None,
        is_default_version=True,
        artifact_uri=folder,
        serving_container_image_uri=settings["image"],
        labels=settings["labels"],
    )
    logging.info("Registered %s as %s", folder, model.versioned_resource_name)
    return model


def deploy(model: aiplatform.Model, settings: dict[str, Any]) -> aiplatform.Endpoint:
    """Send all traffic of the endpoint with the name in `settings`, made if there is none, to `model`.

    Then the models that it served before are undeployed.
    """
    endpoints = aiplatform.Endpoint.list(filter=f'display_name="{settings["name"]}"', order_by="create_time")
    if endpoints:
        endpoint = endpoints[0]
    else:
        endpoint = aiplatform.Endpoint.create(display_name=settings["name"], labels=settings["labels"])
    served = [deployed.id for deployed in endpoint.list_models()]
    endpoint.deploy(
        model,
        traffic_percentage=100,
        machine_type=settings["endpoint"]["machine_type"],
        min_replica_count=1,
        max_replica_count=settings["endpoint"]["max_replicas"],
        service_account=settings["service_account"],
    )
    for deployed in served:
        endpoint.undeploy(deployed)
    logging.info("Deployed to %s", endpoint.resource_name)
    return endpoint
