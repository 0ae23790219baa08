"""A pushed model becomes known to Vertex AI: the real client, against a stand-in of its API on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import google.auth.credentials
import grpc
import pytest
from google.cloud import aiplatform
from google.cloud import aiplatform_v1 as v1
from google.cloud.aiplatform_v1.services.endpoint_service.transports import EndpointServiceGrpcTransport
from google.cloud.aiplatform_v1.services.model_service.transports import ModelServiceGrpcTransport
from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from tfx.types import standard_artifacts

from components.pusher import executor
from pipeline.platforms.vertex.executors import pusher

PARENT = "projects/my-project/locations/europe-west4"
SETTINGS: dict[str, Any] = {
    "name": "cifar10",
    "project": "my-project",
    "region": "europe-west4",
    "image": "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
    "labels": {"team": "vision"},
    "encryption_key": None,
    "service_account": None,
    "endpoint": {"machine_type": "n1-standard-2", "max_replicas": 3},
}


class VertexAI(grpc.GenericRpcHandler):
    """Models and endpoints in memory; every operation is done at once."""

    def __init__(self) -> None:
        self.models: dict[str, v1.Model] = {}
        self.endpoints: dict[str, v1.Endpoint] = {}
        self.asked: list[str] = []

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = call.method.rpartition("/")[2]
        request, answer = {
            "ListModels": (v1.ListModelsRequest, self.list_models),
            "UploadModel": (v1.UploadModelRequest, self.upload),
            "GetModel": (v1.GetModelRequest, lambda request: self.models[request.name.partition("@")[0]]),
            "ListEndpoints": (v1.ListEndpointsRequest, self.list_endpoints),
            "CreateEndpoint": (v1.CreateEndpointRequest, self.create),
            "GetEndpoint": (v1.GetEndpointRequest, lambda request: self.endpoints[request.name]),
            "DeployModel": (v1.DeployModelRequest, self.deploy),
            "UndeployModel": (v1.UndeployModelRequest, self.undeploy),
        }[method]

        def handle(given: Any, context: grpc.ServicerContext) -> Any:
            self.asked.append(method)
            return answer(given)

        def serialize(message: Any) -> bytes:
            return type(message).serialize(message) if hasattr(message, "_pb") else message.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle, request.deserialize, serialize)

    def list_models(self, request: v1.ListModelsRequest) -> v1.ListModelsResponse:
        found = [m for m in self.models.values() if request.filter == f'display_name="{m.display_name}"']
        return v1.ListModelsResponse(models=found)

    def upload(self, request: v1.UploadModelRequest) -> operations_pb2.Operation:
        name = request.parent_model or f"{request.parent}/models/{len(self.models) + 1}"
        version = int(self.models[name].version_id) + 1 if name in self.models else 1
        able = [v1.Model.DeploymentResourcesType.DEDICATED_RESOURCES]
        self.models[name] = v1.Model(
            request.model, name=name, version_id=str(version), supported_deployment_resources_types=able
        )
        return done(
            v1.UploadModelResponse(model=name, model_version_id=str(version)), v1.UploadModelOperationMetadata()
        )

    def list_endpoints(self, request: v1.ListEndpointsRequest) -> v1.ListEndpointsResponse:
        found = [e for e in self.endpoints.values() if request.filter == f'display_name="{e.display_name}"']
        return v1.ListEndpointsResponse(endpoints=found)

    def create(self, request: v1.CreateEndpointRequest) -> operations_pb2.Operation:
        name = f"{request.parent}/endpoints/{len(self.endpoints) + 1}"
        self.endpoints[name] = v1.Endpoint(request.endpoint, name=name)
        return done(self.endpoints[name], v1.CreateEndpointOperationMetadata())

    def deploy(self, request: v1.DeployModelRequest) -> operations_pb2.Operation:
        endpoint = self.endpoints[request.endpoint]
        deployed = v1.DeployedModel(request.deployed_model, id=str(len(self.asked)))
        endpoint.deployed_models.append(deployed)
        endpoint.traffic_split = {key if key != "0" else deployed.id: n for key, n in request.traffic_split.items()}
        return done(v1.DeployModelResponse(deployed_model=deployed), v1.DeployModelOperationMetadata())

    def undeploy(self, request: v1.UndeployModelRequest) -> operations_pb2.Operation:
        endpoint = self.endpoints[request.endpoint]
        endpoint.deployed_models = [d for d in endpoint.deployed_models if d.id != request.deployed_model_id]
        return done(v1.UndeployModelResponse(), v1.UndeployModelOperationMetadata())


def done(response: Any, metadata: Any) -> operations_pb2.Operation:
    packed = [any_pb2.Any(), any_pb2.Any()]
    for into, message in zip(packed, (response, metadata)):
        into.Pack(type(message).pb(message))
    return operations_pb2.Operation(name=f"{PARENT}/operations/1", done=True, response=packed[0], metadata=packed[1])


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexAI]:
    api = VertexAI()
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[api])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    here = grpc.insecure_channel(f"127.0.0.1:{port}")
    for transport in (ModelServiceGrpcTransport, EndpointServiceGrpcTransport):
        monkeypatch.setattr(transport, "create_channel", lambda *args, **kwargs: here)
    anonymous = google.auth.credentials.AnonymousCredentials()
    monkeypatch.setattr("google.auth.default", lambda *args, **kwargs: (anonymous, "my-project"))
    yield api
    server.stop(None)
    here.close()
    aiplatform.initializer.global_config._credentials = None


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying to a bucket is test_executor's matter; the client would upload a folder that is not in one."""
    versions = iter((1, 2))
    monkeypatch.setattr(executor, "push", lambda model, base: next(versions))


def push(tmp_path: Path, blessed: bool = True, **settings: Any) -> standard_artifacts.PushedModel:
    """The executor, as Vertex AI's entry point calls it."""
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    pushed = standard_artifacts.PushedModel()
    model.uri, blessing.uri, pushed.uri = (str(tmp_path / name) for name in ("model", "blessing", "pushed"))
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True, exist_ok=True)
    blessing.set_int_custom_property("blessed", int(blessed))
    destination = {"filesystem": {"base_directory": "gs://bucket/serving"}}
    pusher.Executor().Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {"push_destination": json.dumps(destination), "custom_config": json.dumps(SETTINGS | settings)},
    )
    return pushed


def test_versions_of_one_model(cloud: VertexAI, tmp_path: Path) -> None:
    first, second = (push(tmp_path, endpoint=None) for _ in range(2))
    name = f"{PARENT}/models/1"
    assert first.get_string_custom_property("registered_model") == f"{name}@1"
    assert second.get_string_custom_property("registered_model") == f"{name}@2"
    (model,) = cloud.models.values()
    assert model.display_name == "cifar10"
    assert model.artifact_uri == "gs://bucket/serving/2"
    assert model.container_spec.image_uri == SETTINGS["image"]
    assert model.labels["team"] == "vision"
    assert "DeployModel" not in cloud.asked


def test_the_endpoint_serves_the_newest_alone(cloud: VertexAI, tmp_path: Path) -> None:
    push(tmp_path)
    pushed = push(tmp_path)
    (endpoint,) = cloud.endpoints.values()
    assert pushed.get_string_custom_property("endpoint") == endpoint.name
    (deployed,) = endpoint.deployed_models
    assert dict(endpoint.traffic_split) == {deployed.id: 100}
    assert deployed.dedicated_resources.machine_spec.machine_type == "n1-standard-2"
    assert deployed.dedicated_resources.max_replica_count == 3


def test_a_model_that_is_not_blessed_stays_unknown(cloud: VertexAI, tmp_path: Path) -> None:
    assert push(tmp_path, blessed=False).get_int_custom_property("pushed") == 0
    assert cloud.asked == []
