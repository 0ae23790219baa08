"""Vertex AI's Model Registry and endpoints, added to the stand-in for Google Cloud, with the rules of the real ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from google.cloud import aiplatform_v1 as v1
from google.protobuf import json_format

from tests.pipeline.platforms.vertex.fakes import NUMBER, REGION, GoogleCloud, Refused

PARENT = f"projects/{NUMBER}/locations/{REGION}"
ALIAS = r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]"


@dataclass
class Operation:
    """One that has `looks` looks to go until it is done; then `act` happens."""

    name: str
    looks: int
    act: Callable[[], Any]
    result: dict[str, Any] = field(default_factory=dict)

    def look(self) -> dict[str, Any]:
        if not self.result:
            self.looks -= 1
            if self.looks < 0:
                try:
                    response = self.act()
                    kind = type(response).__name__
                    message = {"@type": f"type.googleapis.com/google.cloud.aiplatform.v1.{kind}", **_json(response)}
                    self.result = {"response": message}
                except Refused as refused:
                    self.result = {"error": {"code": 9, "message": refused.args[1]}}
        return {"name": self.name, "done": bool(self.result), **self.result}


@dataclass
class VertexServing(GoogleCloud):
    """Of one project. Names in requests have its id, those in answers its number."""

    models: dict[str, list[v1.Model]] = field(default_factory=dict)  # by resource name, the versions in their order
    endpoints: dict[str, v1.Endpoint] = field(default_factory=dict)
    evaluations: dict[str, v1.ModelEvaluation] = field(default_factory=dict)
    slices: dict[str, list[v1.ModelEvaluationSlice]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    slowness: int = 0  # looks until an operation is done
    splits: list[dict[str, int]] = field(default_factory=list)  # traffic by version, after each change
    deployments: list[v1.DeployedModel] = field(default_factory=list)  # all that there ever were
    changes_left: int | None = None  # after so many all are refused, as if the caller had been stopped

    def forget(self) -> None:
        """Have no models and no endpoints any more."""
        for kept in (self.models, self.endpoints, self.evaluations, self.slices):
            kept.clear()
        for listed in (self.operations, self.splits, self.deployments):
            listed.clear()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        line = re.sub(rf"^(\w+) /v1/projects/[^/]+/locations/{REGION}/", r"\1 ", f"{method} {unquote(path)}")
        for pattern, does in ROUTES:
            if match := re.fullmatch(pattern, line):
                self._count(method)
                return getattr(self, does)(*match.groups(), query=query, body=body)
        return super().answer(method, path, query, body)

    def _count(self, method: str) -> None:
        if method == "GET" or self.changes_left is None:
            return
        if self.changes_left == 0:
            raise Refused(403, "Permission denied")
        self.changes_left -= 1

    # The Model Registry

    def list_models(self, query: Any, body: Any) -> Any:
        wanted = json.loads(query["filter"][0].removeprefix("display_name="))
        defaults = [self._version(versions, "default") for versions in self.models.values()]
        return _json(v1.ListModelsResponse(models=[model for model in defaults if model.display_name == wanted]))

    def list_versions(self, model: str, query: Any, body: Any) -> Any:
        return _json(v1.ListModelVersionsResponse(models=self.models[f"{PARENT}/models/{model}"]))

    def upload(self, query: Any, body: Any) -> Any:
        request = _parse(v1.UploadModelRequest, body)
        assert request.model.artifact_uri.startswith("gs://")
        name = request.parent_model or f"{PARENT}/models/{len(self.models) + 1}"

        def act() -> v1.UploadModelResponse:
            versions = self.models.setdefault(name, [])
            number = str(len(versions) + 1)
            versions.append(v1.Model(request.model, name=name, version_id=number))
            if number == "1":
                versions[0].version_aliases.append("default")
            return v1.UploadModelResponse(model=name, model_version_id=number)

        return self._start(f"{name}/operations", act)

    def merge_aliases(self, model: str, number: str, query: Any, body: Any) -> Any:
        versions = self.models[f"{PARENT}/models/{model}"]
        version = self._version(versions, number)
        for change in body["versionAliases"]:
            alias = change.removeprefix("-")
            if not re.fullmatch(ALIAS, alias):
                raise Refused(400, f"{alias} is no alias")
            if change.startswith("-"):
                if alias == "default" or alias not in version.version_aliases:
                    raise Refused(400, f"{alias} cannot be removed")
                version.version_aliases.remove(alias)
                continue
            for other in versions:
                if alias in other.version_aliases:
                    other.version_aliases.remove(alias)
            version.version_aliases.append(alias)
        return _json(version)

    def import_evaluation(self, model: str, query: Any, body: Any) -> Any:
        evaluation = _parse(v1.ModelEvaluation, body["modelEvaluation"])
        evaluation.name = f"{PARENT}/models/{model}/evaluations/{len(self.evaluations) + 1}"
        self.evaluations[evaluation.name] = evaluation
        return _json(evaluation)

    def list_evaluations(self, model: str, query: Any, body: Any) -> Any:
        found = [e for name, e in self.evaluations.items() if name.startswith(f"{PARENT}/models/{model}/")]
        return _json(v1.ListModelEvaluationsResponse(model_evaluations=found))

    def import_slices(self, evaluation: str, query: Any, body: Any) -> Any:
        given = [_parse(v1.ModelEvaluationSlice, one) for one in body["modelEvaluationSlices"]]
        if len(given) > 50 or len({one.slice_.dimension for one in given}) != 1:
            raise Refused(400, "at most 50 slices, of one kind")
        self.slices.setdefault(evaluation, []).extend(given)
        return _json(v1.BatchImportModelEvaluationSlicesResponse())

    def list_slices(self, evaluation: str, query: Any, body: Any) -> Any:
        return _json(v1.ListModelEvaluationSlicesResponse(model_evaluation_slices=self.slices.get(evaluation, [])))

    # Endpoints

    def list_endpoints(self, query: Any, body: Any) -> Any:
        wanted = json.loads(query["filter"][0].removeprefix("display_name="))
        found = [endpoint for endpoint in self.endpoints.values() if endpoint.display_name == wanted]
        return _json(v1.ListEndpointsResponse(endpoints=found))

    def create_endpoint(self, query: Any, body: Any) -> Any:
        name = f"{PARENT}/endpoints/{len(self.endpoints) + 1}"

        def act() -> v1.Endpoint:
            self.endpoints[name] = _parse(v1.Endpoint, body)
            self.endpoints[name].name = name
            return self.endpoints[name]

        return self._start(f"{name}/operations", act)

    def get_endpoint(self, number: str, query: Any, body: Any) -> Any:
        return _json(self.endpoints[f"{PARENT}/endpoints/{number}"])

    def update_endpoint(self, number: str, query: Any, body: Any) -> Any:
        assert query["updateMask"] == ["trafficSplit"]
        endpoint = self.endpoints[f"{PARENT}/endpoints/{number}"]
        self._send(endpoint, body["trafficSplit"])
        return _json(endpoint)

    def deploy_model(self, number: str, query: Any, body: Any) -> Any:
        name = f"{PARENT}/endpoints/{number}"
        request = _parse(v1.DeployModelRequest, body)

        def act() -> v1.DeployModelResponse:
            model, _, version = request.deployed_model.model.partition("@")
            found = self._version(self.models[model], version)
            one = _parse(v1.DeployedModel, body["deployedModel"])
            one.model, one.model_version_id, one.id = model, found.version_id, str(7000 + len(self.operations))
            self.deployments.append(one)
            endpoint = self.endpoints[name]
            endpoint.deployed_models.append(one)
            self._send(endpoint, {one.id if key == "0" else key: n for key, n in request.traffic_split.items()})
            return v1.DeployModelResponse(deployed_model=one)

        return self._start(f"{name}/operations", act)

    def undeploy_model(self, number: str, query: Any, body: Any) -> Any:
        name, gone = f"{PARENT}/endpoints/{number}", body["deployedModelId"]

        def act() -> v1.UndeployModelResponse:
            endpoint = self.endpoints[name]
            if dict(endpoint.traffic_split).get(gone):
                raise Refused(400, f"DeployedModel {gone} has traffic")
            if gone not in [one.id for one in endpoint.deployed_models]:
                raise Refused(404, f"no DeployedModel {gone}")
            endpoint.deployed_models = [one for one in endpoint.deployed_models if one.id != gone]
            return v1.UndeployModelResponse()

        return self._start(f"{name}/operations", act)

    def list_operations(self, resource: str, query: Any, body: Any) -> Any:
        found = [one.look() for one in self.operations if one.name.startswith(f"{PARENT}/{resource}/operations/")]
        return {"operations": found}

    def get_operation(self, name: str, query: Any, body: Any) -> Any:
        return next(one.look() for one in self.operations if one.name == f"{PARENT}/{name}")

    def serves(self) -> dict[str, int]:
        """The versions that are deployed, with their shares."""
        (endpoint,) = self.endpoints.values()
        split = dict(endpoint.traffic_split)
        return {one.model_version_id: split.get(one.id, 0) for one in endpoint.deployed_models}

    def aliases(self) -> dict[str, set[str]]:
        """The aliases by version, of those that have one."""
        (versions,) = self.models.values()
        return {one.version_id: set(one.version_aliases) for one in versions if one.version_aliases}

    def _send(self, endpoint: v1.Endpoint, split: dict[str, int]) -> None:
        if sum(split.values()) != 100 or not set(split) <= {one.id for one in endpoint.deployed_models}:
            raise Refused(400, f"{split} is no traffic split")
        endpoint.traffic_split = split
        self.splits.append(self.serves())

    def _version(self, versions: list[v1.Model], number: str) -> v1.Model:
        return next(one for one in versions if number in (one.version_id, *one.version_aliases))

    def _start(self, folder: str, act: Callable[[], Any]) -> Any:
        """Start an operation. The first answer never has its result, which a client would parse as an Any.

        json_format, reading an Any, makes second classes of the messages in it, and proto-plus knows the first ones.
        """
        self.operations.append(Operation(f"{folder}/{len(self.operations) + 1}", self.slowness, act))
        return {"name": self.operations[-1].name}


ROUTES = [
    (r"GET models", "list_models"),
    (r"POST models:upload", "upload"),
    (r"GET models/(\d+):listVersions", "list_versions"),
    (r"POST models/(\d+)@(\d+):mergeVersionAliases", "merge_aliases"),
    (r"POST models/(\d+@\d+)/evaluations:import", "import_evaluation"),
    (r"GET models/(\d+@\d+)/evaluations", "list_evaluations"),
    (r"POST models/(\d+@\d+/evaluations/\d+)/slices:batchImport", "import_slices"),
    (r"GET models/(\d+@\d+/evaluations/\d+)/slices", "list_slices"),
    (r"GET endpoints", "list_endpoints"),
    (r"POST endpoints", "create_endpoint"),
    (r"GET endpoints/(\d+)", "get_endpoint"),
    (r"PATCH endpoints/(\d+)", "update_endpoint"),
    (r"POST endpoints/(\d+):deployModel", "deploy_model"),
    (r"POST endpoints/(\d+):undeployModel", "undeploy_model"),
    (r"GET ((?:endpoints|models)/\d+)/operations", "list_operations"),
    (r"GET ((?:endpoints|models)/\d+/operations/\d+)", "get_operation"),
]


def _parse(kind: Any, body: Any) -> Any:
    return kind.wrap(json_format.ParseDict(body, kind.pb(kind())))


def _json(message: Any) -> Any:
    return json_format.MessageToDict(type(message).pb(message), use_integers_for_enums=True)
