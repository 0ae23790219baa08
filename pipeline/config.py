"""One typed, frozen Config: a preset, then a YAML file, then `--set a.b=c`, each overrides the one before.

Each stage declares its section beside its code (`components/<stage>/config.py`), with the meaning, unit and range of
every key; here they are composed. An unknown key or a bad value is refused by name.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_serializer, field_validator, model_validator

from components.config import Folder, Section, first_error
from components.data_gate.config import Gate
from components.errors import UserError
from components.evaluator.config import Evaluator
from components.example_gen.config import Data
from components.pusher.config import Serving
from components.report.config import Card
from components.trainer import networks
from components.trainer.config import Trainer, Tuner, default_space
from components.transform.config import Transform
from pipeline import first_look, layers
from pipeline.first_look import Choice
from pipeline.layers import Layer
from pipeline.platforms.vertex.config import Vertex
from pipeline.tracking import server_url


class Metadata(Section):
    """The store of ML Metadata."""

    url: SecretStr | None = Field(
        None,
        description="mysql://… or postgresql://… of a server, or env:NAME or file:PATH that holds it; SQLite in "
        "the run directory if not set",
    )

    @field_validator("url")
    @classmethod
    def _is_of_a_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not server_url.is_reference(url.get_secret_value()):
            server_url.split(url.get_secret_value())
        return url

    @field_serializer("url")
    def _without_password(self, url: SecretStr | None) -> str | None:
        """Return the URL as it is shown and stored."""
        return None if url is None else server_url.masked(url.get_secret_value())


class Beam(Section):
    """Apache Beam's options for the stages that use it."""

    args: tuple[str, ...] = Field(
        (
            "--runner=FnApiRunner",
            "--direct_running_mode=in_memory",
            "--direct_num_workers=1",
        ),
        description="Arguments of Beam's pipelines, the runner included",
    )


class Config(Section):
    """The whole configuration of a run.

    Nothing in it refers to a machine but `run_dir` and the paths that the user gives.
    """

    name: str = Field(
        "digits", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the data set and its model"
    )
    preset: str = Field(
        "digits",
        description="What the other values start from: a file in pipeline/presets; if not named, that of the "
        "data set, else photos or small after a first look at the images (docs/data.md)",
    )
    schema_file: str | None = Field(
        None, description="Path of a curated schema; schema/<name>/schema.pbtxt where it exists, else it is inferred"
    )
    run_dir: Folder = Field("output", description="Folder of ML Metadata, artifacts, logs and serving")
    artifacts_dir: Folder | None = Field(
        None, description="Folder of the artifacts, possibly remote; <run_dir>/artifacts if not set"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of everything that is drawn at random")
    data: Data = Data()
    gate: Gate = Gate()
    transform: Transform = Transform()
    trainer: Trainer = Trainer()
    tuner: Tuner = Tuner()
    warm_start: bool = Field(False, description="Whether training begins with the weights of the latest blessed model")
    evaluator: Evaluator = Evaluator()
    serving: Serving = Serving()
    card: Card = Card()
    metadata: Metadata = Metadata()
    beam: Beam = Beam()
    vertex: Vertex = Vertex()

    @model_validator(mode="after")
    def _sections_fit(self) -> Config:
        size = self.transform.size
        for key, pixels in (("translate", self.trainer.translate), ("cutout", self.trainer.cutout)):
            if pixels >= size:
                raise ValueError(f"trainer.{key} = {pixels} must be smaller than transform.size = {size}")
        if self.data.max_side is not None and self.data.max_side < size:
            raise ValueError(f"data.max_side = {self.data.max_side} must not be smaller than transform.size = {size}")
        if self.trainer.mixup and self.trainer.cutmix:
            raise ValueError("trainer.mixup and trainer.cutmix mix each image with another: set one of them to 0")
        least = networks.traits(self.trainer.network).least_size
        if size < least:
            raise ValueError(
                f"transform.size = {size}: the network {self.trainer.network} takes {least} pixels or more"
            )
        for key, readers in networks.settings_of_others(self.trainer.network).items():
            if key in self.tuner.space:
                raise ValueError(f"cannot tune {key!r}: only {readers} it")
        return self


def choose(preset: str | None, file: str | None, settings: layers.Settings) -> Choice:
    """Return the preset that `load` takes, and why where none is named.

    Raises:
      UserError: as `load`.
    """
    own = _layers(file, settings)
    return Choice(preset) if preset else first_look.choose(own)


def load(
    preset: str | None = None, file: str | None = None, settings: layers.Settings = ()
) -> tuple[Config, dict[str, str]]:
    """Return the Config and, for each dotted key, its origin.

    An origin is `default`, `preset NAME`, the file's path, `--set`, or `argument` of Python code. Without `preset`, the
    one that a layer names, else the one of the data (first_look.py). The name of a preset without one is that of the
    data.

    Raises:
      UserError: an unknown preset or key, a value that does not fit, a file or data that cannot be read.
    """
    own = _layers(file, settings)
    values_of_preset = layers.read_preset(preset or first_look.choose(own).preset)
    source = layers.value(own, "data", "source")
    named = "name" in values_of_preset or layers.value(own, "name")
    if source and not layers.value([("", values_of_preset)], "data", "source") and not named:
        from components.example_gen import sources  # reads images, and takes a moment to import

        own.insert(0, ("name of the data", {"name": sources.locate(str(source), "").name}))
    every = [(f"preset {values_of_preset['preset']}", values_of_preset), *own]
    network = _fit_network(every)
    values, origins = layers.merged(every)
    values["preset"] = values_of_preset["preset"]  # a layer may have the name that it had before
    values.setdefault("tuner", {}).setdefault("space", default_space(network))
    values.setdefault("transform", {}).setdefault("size", networks.traits(network).size)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error, origins)) from None
    return config, {key: origins.get(key, "default") for key in flatten(config.model_dump())}


def _layers(file: str | None, settings: layers.Settings) -> list[Layer]:
    result = layers.read(file, settings)
    for origin, layer in result:
        _check_keys(layer, Config, origin)
    return result


def _fit_network(every: list[Layer]) -> str:
    """Remove the preset's settings for another network from the first layer; return the name of the network.

    Raises:
      UserError: another layer sets a key that the network does not read.
    """
    trainers = [(origin, layer.get("trainer", {})) for origin, layer in every]
    named = [str(trainer.get("network", networks.DEFAULT)) for _, trainer in trainers if "network" in trainer]
    network = named[-1] if named else networks.DEFAULT
    (_, of_preset), *overriding = trainers
    of_others = networks.settings_of_others(network)
    presets_network = of_preset.get("network", networks.DEFAULT)
    if network != presets_network:
        for key in (*networks.traits(network).defaults, *networks.traits(presets_network).defaults, *of_others):
            of_preset.pop(key, None)
        if networks.traits(network).size != networks.traits(presets_network).size:
            every[0][1].get("transform", {}).pop("size", None)
    explicit = {key: (value, origin) for origin, trainer in overriding for key, value in trainer.items()}
    for key, readers in of_others.items():
        default = Trainer.model_fields[key].default
        value, origin = explicit.get(key, (default, ""))
        if value != default:
            raise UserError(f"config key 'trainer.{key}' ({origin}): only {readers} it, not {network}")
    return network


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {'a.b': value} for {'a': {'b': value}}, in the order of declaration."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _check_keys(layer: dict[str, Any], section: type[BaseModel], origin: str, prefix: str = "") -> None:
    for key, value in layer.items():
        if key not in section.model_fields:
            raise UserError(f"unknown config key {prefix + str(key)!r} ({origin}); {_hint(str(key), section, prefix)}")
        inner = section.model_fields[key].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, dict):
                raise UserError(f"config key {prefix + key!r} ({origin}) is a section; set one of its keys instead")
            _check_keys(value, inner, origin, f"{prefix}{key}.")


def _hint(key: str, section: type[BaseModel], prefix: str) -> str:
    """Return the key that was probably meant: of the section, else of that name in another; else those it has."""
    near = difflib.get_close_matches(key.lower(), section.model_fields, n=1)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    elsewhere = [name for name in flatten(Config().model_dump()) if name.rpartition(".")[2] == key.lower()]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"known: {', '.join(section.model_fields)}"


def _explain(error: ValidationError, origins: dict[str, str]) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    message = first_error(error)
    secret = key == "metadata.url"
    value = f" = {problem['input']!r}" if not isinstance(problem["input"], dict) and not secret else ""
    origin = f" ({origins[key]})" if key in origins else ""
    return f"config key '{key}'{value}{origin}: {message}" if key else message
