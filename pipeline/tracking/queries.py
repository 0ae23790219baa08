"""What ML Metadata knows of a pushed version: the model, who trained it on what, and what it was blessed by."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import ml_metadata as mlmd

from components import files
from components.contracts import counts
from components.errors import UserError
from components.report.lost import Lost
from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata
from pipeline.tracking.graph import Graph, Link
from pipeline.tracking.serving import PUSHED, ROLLED_BACK_TO

MODEL, EXAMPLES = "Model", "Examples"
HELP = "a pushed version as 3 or NAME/3, a run, an artifact as #12, or data as a path or sha256:…"


@dataclasses.dataclass(frozen=True)
class Version:
    """A pushed model."""

    name: str
    version: str
    path: str
    link: Link  # of the PushedModel
    again: str = ""  # the version that it is a copy of, where `rollback` made it

    def __str__(self) -> str:
        return f"version {self.version} of {self.name}"


@dataclasses.dataclass(frozen=True)
class Data:
    """Labelled pictures, as an ExampleGen read them."""

    link: Link
    source: str
    fingerprint: str  # sha256:… of the names and bytes of the files
    files: int
    counts: dict[str, dict[str, int]]  # pictures by split and class
    rejected: int

    @property
    def pictures(self) -> int:
        return sum(self.of_split(split) for split in self.counts)

    def of_split(self, split: str) -> int:
        return sum(self.counts.get(split, {}).values())


class Known:
    """The store of a run directory, read once.

    Raises:
      UserError: nothing was run there.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store: mlmd.MetadataStore = metadata.known_store(config)
        self.lost = Lost()
        self.graph = Graph(self.store)

    def versions(self) -> list[Version]:
        """All that was pushed, the oldest first."""
        found = []
        for one in self.graph.made(PUSHED):
            if metadata.property_value(one, "pushed") == 1:
                link = self.graph.link(one.id)
                version, path = (metadata.property_value(one, f"pushed_{key}") for key in ("version", "destination"))
                again = str(metadata.property_value(one, ROLLED_BACK_TO) or "")
                found.append(Version(link.pipeline, str(version), str(path), link, again))
        return found

    def version(self, what: str | None) -> Version:
        """The version that is meant by `3` or `digits/3`; the one pushed last if None.

        Raises:
          UserError: there is none, or more than one.
        """
        versions = self.versions()
        if what is None:
            if not versions:
                raise UserError(f"no model was pushed yet in {self.config.run_dir}; see `python -m pipeline runs`")
            return versions[-1]
        name, _, number = what.rpartition("/")
        # Of versions that were removed and pushed anew, the newer.
        found = {one.name: one for one in versions if one.version == number and name in ("", one.name)}
        if not found:
            raise UserError(f"there is no version {what!r} in {self.config.run_dir}; see `python -m pipeline runs`")
        if len(found) > 1:
            names = " or ".join(f"{one}/{number}" for one in sorted(found))
            raise UserError(f"{len(found)} models have a version {number}; write {names}")
        return next(iter(found.values()))

    def data(self, examples: Link) -> Data:
        counted = self.lost.read("counts of the data", examples.artifact.uri, counts.read) or counts.Counts(
            class_names=[]
        )
        fingerprint = str(metadata.property_value(examples.artifact, "input_fingerprint") or "")
        content, _, number = fingerprint.partition(",num_files:")
        return Data(
            link=examples,
            source=counted.source or str(examples.parameter("input_base")),
            fingerprint=content,
            files=int(number or 0),
            counts=counted.splits,
            rejected=counted.rejected,
        )

    def data_of(self, trained: Link) -> Data | None:
        """What the Trainer that made the model read."""
        read = trained.inputs("examples")
        return self.data(self.graph.link(read[0])) if read else None

    def settings_of(self, trained: Link) -> dict[str, Any]:
        """What the Trainer that made the model was told; what a Tuner found goes before the configuration."""
        told = json.loads(trained.parameter("custom_config") or "{}")
        for found in trained.inputs("hyperparameters"):
            path = f"{self.graph.link(found).artifact.uri}/best_hyperparameters.txt"
            told |= json.loads(files.read_bytes(path))["values"] if files.exists(path) else {}
        return {key: value for key, value in told.items() if value != "" and key != "checkpoints"}

    def models_of(self, *examples: int) -> list[Link]:
        """The models that were trained on data."""
        return [link for one in examples for link in self.graph.read_by(one, "examples") if link.artifact.type == MODEL]

    def versions_of(self, model_id: int) -> list[Version]:
        return [one for one in self.versions() if model_id in one.link.inputs("model")]

    def outputs(self, run_id: str) -> dict[str, dict[str, list[metadata.Artifact]]]:
        """What the stages of a run put out, or took from the cache, by stage and key."""
        run = metadata.find_run(self.store, run_id)
        return {name: stage.outputs for name, stage in metadata.stages(self.store, run).items()} if run else {}

    def find(self, what: str | None) -> list[Link]:
        """The artifacts that are meant; see HELP. More than one where data was read more than once.

        Raises:
          UserError: there is none.
        """
        if what is None:
            return [self.version(None).link]
        _, slash, number = what.rpartition("/")
        if number.isdigit() and (slash or number in {one.version for one in self.versions()}):
            return [self.version(what).link]
        made = self.graph.made()
        if what.startswith("#"):
            ids = [one.id for one in made if str(one.id) == what[1:]]
        elif what.startswith("sha256:") or Path(what).exists():
            data = [self.data(self.graph.link(one.id)) for one in made if one.type == EXAMPLES]
            path = str(Path(what).resolve())
            wanted = [one for one in data if one.source == path or one.fingerprint.startswith(what)]
            ids = [one.link.id for one in wanted]
        elif not any(file.parent.name.startswith(what) for file in run_dir.results(self.config)):
            ids = []
        else:
            run_id = run_dir.find_run(self.config, what).name
            known = {one.id for one in made}
            outputs = [one.id for by in self.outputs(run_id).values() for of in by.values() for one in of]
            ids = [one for one in outputs if one in known][-1:]
        if not ids:
            raise UserError(f"there is no {what!r} in {self.config.run_dir}; name {HELP}")
        return [self.graph.link(one) for one in ids]
