"""The Model Registry: the versions of a pipeline's model, and the aliases that say what each of them is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from google.cloud import aiplatform_v1 as v1

from pipeline.platforms.vertex.cloud import TIMEOUT, Cloud, retry_transient, retry_unsent
from pipeline.platforms.vertex.operations import carry_out, wait_for_all

CHAMPION = "champion"  # the version that serves
CANDIDATE = "candidate"  # the newest version, as long as it is not champion
PREVIOUS = "previous"  # the champion before, which a rollback brings back
DEFAULT = "default"  # Vertex AI's own: what is meant where no version is named; it follows CHAMPION


@dataclasses.dataclass(frozen=True)
class Version:
    """A version of a model in the registry."""

    name: str  # projects/…/locations/…/models/MODEL@VERSION
    number: str
    aliases: frozenset[str] = dataclasses.field(compare=False)
    folder: str  # of the SavedModel, gs://…


class Registry:
    """The model of one pipeline."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        """Connect to the Model Registry.

        Args:
          cloud: the project and region.
          name: the display name of the model.
        """
        self.client: v1.ModelServiceClient = cloud.client(v1.ModelServiceClient)
        self._cloud, self._name = cloud, name

    def versions(self) -> list[Version]:
        """Return the versions of the model, the newest first; none if there is no model of this name."""
        model = self._model()
        if not model:
            return []
        found = self.client.list_model_versions(name=model, retry=retry_transient(), timeout=TIMEOUT)
        versions = [
            Version(f"{model}@{one.version_id}", one.version_id, frozenset(one.version_aliases), one.artifact_uri)
            for one in found
        ]
        return sorted(versions, key=lambda version: -int(version.number))

    def register(self, folder: str, image: str, text: str, labels: Mapping[str, str], key: str | None) -> Version:
        """Return the version whose SavedModel is in `folder`; it is uploaded if there is none, as the candidate.

        Args:
          folder: gs://…
          image: container image that serves it.
          text: description of the version.
          labels: of the version.
          key: that encrypts it, by its resource name.
        """

        def uploaded() -> list[Version]:
            if model := self._model():
                wait_for_all(self._cloud, model)
            return [version for version in self.versions() if version.folder == folder]

        found = uploaded()
        if not found:
            parent = self._model()
            model = v1.Model(
                display_name=self._name,
                version_description=text,
                artifact_uri=folder,
                container_spec=v1.ModelContainerSpec(image_uri=image),
                labels=dict(labels),
                encryption_spec=v1.EncryptionSpec(kms_key_name=key) if key else None,
            )
            request = v1.UploadModelRequest(parent=self._cloud.parent, parent_model=parent, model=model)
            carry_out(
                self._cloud,
                lambda: self.client.upload_model(request, retry=retry_unsent(), timeout=TIMEOUT),
                lambda: bool(uploaded()),
            )
            found = uploaded()
        (version, *_) = found
        return version if CHAMPION in version.aliases else self.alias(version, add=(CANDIDATE,))

    def alias(self, version: Version, add: Collection[str] = (), remove: Collection[str] = ()) -> Version:
        """Return the version with other aliases; one that another version has moves from there to here."""
        wanted = (version.aliases | set(add)) - set(remove)

        @retry_transient()
        def merge() -> None:
            # Looks again first: what is removed already when the answer was lost might be refused the second time.
            found = next(one.aliases for one in self.versions() if one == version)
            changes = [*(wanted - found), *(f"-{one}" for one in found & set(remove))]
            if changes:
                self.client.merge_version_aliases(
                    name=version.name, version_aliases=sorted(changes), retry=retry_unsent(), timeout=TIMEOUT
                )

        if wanted != version.aliases:
            merge()
        return dataclasses.replace(version, aliases=wanted)

    def make_champion(self, version: Version, before: Version | None) -> None:
        """Make `version` the champion and the default.

        Args:
          version: which is no candidate any more.
          before: the champion until now, which a rollback is to bring back, if any is.
        """
        if before and before.name != version.name:
            self.alias(before, add=(PREVIOUS,))
        self.alias(version, add=(CHAMPION, DEFAULT), remove=(CANDIDATE, PREVIOUS))

    def _model(self) -> str:
        request = v1.ListModelsRequest(
            parent=self._cloud.parent, filter=f'display_name="{self._name}"', order_by="create_time"
        )
        models = self.client.list_models(request, retry=retry_transient(), timeout=TIMEOUT)
        return next((model.name.partition("@")[0] for model in models), "")


def holder(versions: Collection[Version], alias: str) -> Version | None:
    """Return the version that has the alias."""
    return next((version for version in versions if alias in version.aliases), None)
