"""Queries of ML Metadata by what people name: versions, runs, artifacts, data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_metadata as mlmd

from components.contracts import counts, training, tuning
from components.contracts.counts import Counts
from components.errors import UserError
from components.report.lost import Lost
from components.text import did_you_mean
from components.trainer import networks
from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata
from pipeline.tracking.graph import ArtifactGraph, ArtifactNode
from pipeline.tracking.serving import PUSHED, ROLLED_BACK_TO

if TYPE_CHECKING:
    from components.example_gen.settings import Settings

MODEL, EXAMPLES = "Model", "Examples"
_NOT_SHOWN = ("checkpoints", "network_code", "weights_file")  # settings: a folder, a whole file, a path
HELP = "a pushed version as 3 or NAME/3, a run, an artifact as #12, or data as a path or sha256:…"


@dataclasses.dataclass(frozen=True)
class Version:
    """A pushed model."""

    name: str
    version: str
    path: str
    node: ArtifactNode  # of the PushedModel
    copy_of: str = ""  # the version that it is a copy of, where `rollback` made it

    def __str__(self) -> str:
        return f"version {self.version} of {self.name}"


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set as an ExampleGen read it."""

    node: ArtifactNode
    source: str
    fingerprint: str  # sha256:… of the names and bytes of the files
    files: int
    counts: Counts

    @property
    def settings(self) -> Settings:
        """The settings with which ExampleGen read it."""
        from components.example_gen import settings

        return settings.unpack(str(self.node.parameter("custom_config")))


class RunStore:
    """The runs of a run directory, read once from ML Metadata.

    Raises:
      UserError: there are none.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store: mlmd.MetadataStore = metadata.known_store(config)
        self.lost = Lost()
        self.graph = ArtifactGraph(self.store)

    def versions(self) -> list[Version]:
        """Return every version that was pushed, the oldest first."""
        versions = []
        for pushed in self.graph.artifacts(PUSHED):
            if metadata.property_value(pushed, "pushed") == 1:
                node = self.graph.node(pushed.id)
                number, path = (metadata.property_value(pushed, f"pushed_{key}") for key in ("version", "destination"))
                copy_of = str(metadata.property_value(pushed, ROLLED_BACK_TO) or "")
                versions.append(Version(node.pipeline, str(number), str(path), node, copy_of))
        return versions

    def version(self, reference: str | None) -> Version:
        """Return the version named by `3` or `digits/3`; the one pushed last if None.

        Raises:
          UserError: there is none, or more than one.
        """
        versions = self.versions()
        if reference is None:
            if not versions:
                raise UserError(f"no model was pushed yet in {self.config.run_dir}; see `image-pipeline runs`")
            return versions[-1]
        name, _, number = reference.rpartition("/")
        # Of versions that were removed and pushed again, the newer.
        matches = {v.name: v for v in versions if v.version == number and name in ("", v.name)}
        if not matches:
            known = sorted({version.name for version in versions})
            hint = did_you_mean(name, known) if name and name not in known else "see `image-pipeline runs`"
            raise UserError(f"there is no version {reference!r} in {self.config.run_dir}; {hint}")
        if len(matches) > 1:
            names = " or ".join(f"{match}/{number}" for match in sorted(matches))
            raise UserError(f"{len(matches)} models have a version {number}; write {names}")
        return next(iter(matches.values()))

    def data(self, examples: ArtifactNode) -> Data:
        """Return the data that an ExampleGen wrote; without counts if its files are missing."""
        counted = self.lost.read("counts of the data", examples.artifact.uri, counts.read) or Counts(class_names=[])
        fingerprint = str(metadata.property_value(examples.artifact, "input_fingerprint") or "")
        content, _, number = fingerprint.partition(",num_files:")
        return Data(
            node=examples,
            source=counted.source or str(examples.parameter("input_base")),
            fingerprint=content,
            files=int(number or 0),
            counts=counted,
        )

    def data_of(self, trained: ArtifactNode) -> Data | None:
        """Return the data that the model was trained on."""
        read = trained.inputs("examples")
        return self.data(self.graph.node(read[0])) if read else None

    def settings_of(self, trained: ArtifactNode) -> dict[str, Any]:
        """Return the settings that the model was trained with; tuned hyperparameters override configured ones."""
        settings = json.loads(trained.parameter("custom_config") or "{}")
        for tuned in trained.inputs("hyperparameters"):
            settings |= tuning.read_best(self.graph.node(tuned).artifact.uri)
        return {key: value for key, value in settings.items() if value != "" and key not in _NOT_SHOWN}

    def data_of_path(self, path: str) -> Data | None:
        """Return the data that the model pushed to a folder was trained on; None where it was not pushed from here."""
        pushed = [version.node for version in self.versions() if version.path == path]
        models = [self.graph.node(model_id) for model_id in (pushed[-1].inputs("model") if pushed else [])]
        return self.data_of(models[0]) if models else None

    def pretrained_of(self, trained: ArtifactNode) -> training.Pretrained | None:
        """Return the weights that the model's training began with; None where they were random, or it is not known."""
        network = self.settings_of(trained).get("network")
        record = self.graph.sibling(trained, "model_run") if networks.traits(str(network)).pretraining else None
        return self.lost.read("pretrained weights", record.artifact.uri, training.read_pretrained) if record else None

    def models_of(self, *examples: int) -> list[ArtifactNode]:
        """Return the models that were trained on the data."""
        nodes = (node for data in examples for node in self.graph.made_from(data, "examples"))
        return [node for node in nodes if node.artifact.type == MODEL]

    def versions_of(self, model_id: int) -> list[Version]:
        """Return the versions that the model was pushed as."""
        return [version for version in self.versions() if model_id in version.node.inputs("model")]

    def outputs(self, run_id: str) -> dict[str, dict[str, list[metadata.Artifact]]]:
        """Return the outputs of the stages of a run, those from the cache included, by stage and key."""
        return {name: stage.outputs for name, stage in metadata.stages(self.store, run_id).items()}

    def find(self, reference: str | None) -> list[ArtifactNode]:
        """Return the artifacts that `reference` names, as HELP says; several if data was read more than once.

        Raises:
          UserError: there is none.
        """
        if reference is None:
            return [self.version(None).node]
        _, slash, number = reference.rpartition("/")
        if number.isdigit() and (slash or number in {version.version for version in self.versions()}):
            return [self.version(reference).node]
        artifacts = self.graph.artifacts()
        if reference.startswith("#"):
            ids = [artifact.id for artifact in artifacts if str(artifact.id) == reference[1:]]
        elif reference.startswith("sha256:") or Path(reference).exists():
            read = [self.data(self.graph.node(artifact.id)) for artifact in artifacts if artifact.type == EXAMPLES]
            path = str(Path(reference).resolve())
            ids = [data.node.id for data in read if data.source == path or data.fingerprint.startswith(reference)]
        elif not any(file.parent.name.startswith(reference) for file in run_dir.results(self.config)):
            ids = []
        else:
            run_id = run_dir.find_run(self.config, reference).name
            outputs = [output for stage in self.outputs(run_id).values() for key in stage.values() for output in key]
            ids = [output.id for output in outputs if output.id in {artifact.id for artifact in artifacts}][-1:]
        if not ids:
            raise UserError(f"there is no {reference!r} in {self.config.run_dir}; name {HELP}")
        return [self.graph.node(artifact_id) for artifact_id in ids]
