"""The endpoint of a pipeline's model: which versions it serves, and with what share of the traffic.

Every function begins with a look at what there is, and does only what is missing: it can be stopped at any point and
be called again. Versions change places by one update of the endpoint's traffic split, so something always serves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from google.cloud import aiplatform_v1 as v1
from google.protobuf import field_mask_pb2

from components.errors import UserError
from pipeline.platforms.vertex.cloud import TIMEOUT, Cloud, retry_transient, retry_unsent
from pipeline.platforms.vertex.config import Vertex
from pipeline.platforms.vertex.operations import carry_out, wait_for_all
from pipeline.platforms.vertex.registry import (
    CANDIDATE,
    CHAMPION,
    DEFAULT,
    PREVIOUS,
    Registry,
    Version,
    holder,
)

NEXT = "deploy one: run the pipeline with vertex.deploy.to=endpoint"


@dataclasses.dataclass(frozen=True)
class State:
    """An endpoint and the versions of its model, as they are at a moment."""

    endpoint: v1.Endpoint | None
    versions: list[Version]  # the newest first

    def holder(self, alias: str) -> Version | None:
        """Return the version that has the alias."""
        return holder(self.versions, alias)

    def share(self, deployed: v1.DeployedModel) -> int:
        """Return the percentage of the traffic that a deployed model takes."""
        return dict(self.endpoint.traffic_split).get(deployed.id, 0) if self.endpoint else 0

    @property
    def deployed(self) -> list[v1.DeployedModel]:
        """The deployed models, that with the largest share first."""
        return sorted(self.endpoint.deployed_models, key=lambda one: -self.share(one)) if self.endpoint else []

    def deployment(self, version: Version | None) -> v1.DeployedModel | None:
        """Return what is deployed of a version."""
        return next((one for one in self.deployed if version and self.version(one) == version), None)

    def version(self, deployed: v1.DeployedModel) -> Version | None:
        """Return the version that is deployed; None for one that is not of this model."""
        model = deployed.model.partition("@")[0].rpartition("/")[2]
        name = f"/{model}@{deployed.model_version_id}"
        return next((version for version in self.versions if version.name.endswith(name)), None)

    def serves(self) -> Version | None:
        """Return the champion if it is deployed, else the version with the largest share."""
        champion = self.holder(CHAMPION)
        if self.deployment(champion):
            return champion
        return next((version for one in self.deployed if (version := self.version(one)) and self.share(one)), None)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return a table: version, share of the traffic, aliases; all that is deployed or has an alias."""
        rows = []
        for version in self.versions:
            one = self.deployment(version)
            if one or version.aliases:
                share = f"{self.share(one)} %" if one else "not deployed"
                rows.append((f"version {version.number}", share, ", ".join(sorted(version.aliases))))
        strange = (one for one in self.deployed if self.version(one) is None)
        return rows + [(one.model.rpartition("/")[2], f"{self.share(one)} %", "") for one in strange]


class Serving:
    """The endpoint and the registered model of one pipeline; they have its name."""

    def __init__(self, cloud: Cloud, vertex: Vertex, name: str) -> None:
        """Connect to Vertex AI.

        Args:
          cloud: the project and region.
          vertex: machines and labels of the endpoint.
          name: the display name of the model and of its endpoint.
        """
        self.registry = Registry(cloud, name)
        self._client: v1.EndpointServiceClient = cloud.client(v1.EndpointServiceClient)
        self._cloud, self._vertex, self._name = cloud, vertex, name

    def look(self) -> State:
        """Return the state, after the operations that still run on the endpoint: of a command that was stopped."""
        name = self._find()
        if not name:
            return State(None, self.registry.versions())
        wait_for_all(self._cloud, name)
        endpoint = self._client.get_endpoint(name=name, retry=retry_transient(), timeout=TIMEOUT)
        return State(endpoint, self.registry.versions())

    def deploy(self, version: Version, traffic: int) -> str:
        """Deploy a version that was registered; return the resource name of the endpoint.

        Args:
          version: the new one.
          traffic: percentage that it takes as candidate; with 100, or where nothing else serves, it is the champion.
        """
        state = self.look()
        if state.endpoint is None:
            self._create()
            state = self.look()
        assert state.endpoint
        champion = state.holder(CHAMPION)
        others = [one for one in state.deployed if state.version(one) != version]
        front = state.deployment(champion) if champion != version else None
        front = front or next(iter(others), None)
        served = state.version(front) if front else None
        if traffic == 100 or champion == version or front is None:
            self._serve_only(state, version)
            self.registry.make_champion(version, champion or served)
            return state.endpoint.name
        if served and champion is None:  # deployed before there were aliases
            self.registry.alias(served, add=(CHAMPION, DEFAULT))
        mine = state.deployment(version)
        if mine:
            self._split(state, {mine.id: traffic, front.id: 100 - traffic})
            self._undeploy_but(state, (mine.id, front.id))
        else:
            self._split(state, {front.id: 100})  # an earlier candidate gives its share back, and is replaced
            self._undeploy_but(state, (front.id,))
            self._deploy(state, version, {"0": traffic, front.id: 100 - traffic})
        if previous := state.holder(PREVIOUS):
            self.registry.alias(previous, remove=(PREVIOUS,))
        return state.endpoint.name

    def promote(self, state: State, keep: bool) -> None:
        """Send all traffic to the candidate, which becomes the champion.

        Args:
          state: as it is.
          keep: whether the champion before stays deployed, without traffic.

        Raises:
          UserError: there is no candidate, or it is not deployed.
        """
        self._check_endpoint(state)
        candidate, champion = state.holder(CANDIDATE), state.holder(CHAMPION)
        mine = state.deployment(candidate)
        if candidate is None and not keep and self._without_traffic(state):
            self._undeploy_but(state, [one.id for one in state.deployed if state.share(one)])
            return
        if candidate is None:
            raise UserError(f"{self._name} has no candidate to promote{self._serving(state)}")
        if mine is None:
            raise UserError(f"version {candidate.number}, the candidate, is not deployed; {NEXT}")
        others = (state.version(one) for one in state.deployed)
        before = champion or next((other for other in others if other and other != candidate), None)
        self._split(state, {mine.id: 100})
        kept = state.deployment(before) if keep else None
        self._undeploy_but(state, [one.id for one in (mine, kept) if one])
        self.registry.make_champion(candidate, before)

    def rollback(self, state: State, number: str | None) -> None:
        """Send all traffic to the champion again, to the one before, or to a version that is named.

        Args:
          state: as it is.
          number: of the version; if None, the champion takes over from the candidate, or, where there is no
            candidate, the champion before takes over from the champion.

        Raises:
          UserError: there is nothing to go back to.
        """
        self._check_endpoint(state)
        candidate = state.holder(CANDIDATE)
        if number:
            target = next((version for version in state.versions if version.number == number), None)
            if target is None:
                known = ", ".join(version.number for version in reversed(state.versions))
                raise UserError(f"{self._name} has no version {number!r} in the Model Registry; it has {known}")
        else:
            target = state.holder(CHAMPION if candidate else PREVIOUS)
            if target is None:
                raise UserError(
                    f"{self._name} has no candidate and no previous champion to roll back to{self._serving(state)}; "
                    "name a version: image-pipeline vertex rollback VERSION"
                )
        self._serve_only(state, target)
        self.registry.alias(target, add=(CHAMPION, DEFAULT), remove=(CANDIDATE, PREVIOUS))
        for other in state.versions:
            if other.name != target.name:
                self.registry.alias(other, remove=(CANDIDATE, PREVIOUS))

    def _serve_only(self, state: State, version: Version) -> None:
        """Have the endpoint serve this version and no other, which is deployed if it is not."""
        one = state.deployment(version)
        if one:
            self._split(state, {one.id: 100})
        else:
            self._deploy(state, version, {"0": 100})
            one = self.look().deployment(version)
        self._undeploy_but(state, [one.id] if one else [])

    def _check_endpoint(self, state: State) -> None:
        if state.endpoint is None:
            raise UserError(f"{self._name} has no endpoint in {self._cloud.region}; {NEXT}")

    def _serving(self, state: State) -> str:
        serves = state.serves()
        return f": version {serves.number} serves" if serves else ": nothing is deployed"

    def _without_traffic(self, state: State) -> bool:
        return any(not state.share(one) for one in state.deployed)

    def _find(self) -> str:
        request = v1.ListEndpointsRequest(
            parent=self._cloud.parent, filter=f'display_name="{self._name}"', order_by="create_time"
        )
        endpoints = self._client.list_endpoints(request, retry=retry_transient(), timeout=TIMEOUT)
        return next((endpoint.name for endpoint in endpoints), "")

    def _create(self) -> None:
        key = self._vertex.encryption_key
        endpoint = v1.Endpoint(
            display_name=self._name,
            labels=dict(self._vertex.labels),
            encryption_spec=v1.EncryptionSpec(kms_key_name=key) if key else None,
        )
        carry_out(
            self._cloud,
            lambda: self._client.create_endpoint(
                parent=self._cloud.parent, endpoint=endpoint, retry=retry_unsent(), timeout=TIMEOUT
            ),
            lambda: bool(self._find()),
        )

    def _deploy(self, state: State, version: Version, traffic: dict[str, int]) -> None:
        assert state.endpoint
        settings = self._vertex.deploy
        print(f"          deploying version {version.number}, which takes minutes", flush=True)
        request = v1.DeployModelRequest(
            endpoint=state.endpoint.name,
            traffic_split=traffic,
            deployed_model=v1.DeployedModel(
                model=version.name,
                display_name=self._name,
                service_account=self._vertex.service_account,
                dedicated_resources=v1.DedicatedResources(
                    machine_spec=v1.MachineSpec(machine_type=settings.machine_type),
                    min_replica_count=1,
                    max_replica_count=settings.max_replicas,
                ),
            ),
        )
        carry_out(
            self._cloud,
            lambda: self._client.deploy_model(request, retry=retry_unsent(), timeout=TIMEOUT),
            lambda: self.look().deployment(version) is not None,
        )

    def _split(self, state: State, traffic: dict[str, int]) -> None:
        """Change the traffic split by one update."""
        assert state.endpoint
        if {key: share for key, share in state.endpoint.traffic_split.items() if share} == traffic:
            return
        self._client.update_endpoint(
            endpoint=v1.Endpoint(name=state.endpoint.name, traffic_split=traffic),
            update_mask=field_mask_pb2.FieldMask(paths=["traffic_split"]),
            retry=retry_transient(),
            timeout=TIMEOUT,
        )

    def _undeploy_but(self, state: State, kept: Collection[str]) -> None:
        """Undeploy what has no traffic any more."""
        assert state.endpoint
        for one in state.deployed:
            if one.id not in kept:
                request = v1.UndeployModelRequest(endpoint=state.endpoint.name, deployed_model_id=one.id)
                self._undeploy(request)

    def _undeploy(self, request: v1.UndeployModelRequest) -> None:
        carry_out(
            self._cloud,
            lambda: self._client.undeploy_model(request, retry=retry_unsent(), timeout=TIMEOUT),
            lambda: request.deployed_model_id not in [one.id for one in self.look().deployed],
        )
