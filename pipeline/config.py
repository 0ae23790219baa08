"""One typed, frozen Config: a preset, then a YAML file, then `--set a.b=c`, each over the one before.

Every key is declared here, those of the section `vertex` in pipeline/platforms/vertex/config.py, with its unit and its
range; an unknown key or a bad value is refused by name.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from components.contracts import gates as model_gates
from components.errors import UserError
from pipeline.platforms.vertex.config import Vertex
from pipeline.tracking import server_url

PRESETS = Path(__file__).parent / "presets"

Fraction = Annotated[float, Field(ge=0, le=1)]
# YAML reads a bare `off` as False.
Action = Annotated[Literal["stop", "warn", "off"], BeforeValidator(lambda value: "off" if value is False else value)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Splits(Section):
    """Shares of the pictures where the source gives no split; `validation` is taken out of a given `train`."""

    train: Annotated[float, Field(gt=0, lt=1)] = 0.8
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _sum_to_one(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the three shares must add up to 1, not {total:g}")
        return self


class Features(Section):
    """Names of the features of TFRecords or columns of Parquet; where they are empty, the usual ones are tried."""

    image: str = ""  # an encoded image, or its pixels beside the features height, width and depth
    label: str = ""  # its class: text or a whole number


class Data(Section):
    source: str = "digits"  # digits, cifar10, or a path: docs/data.md lists what is read
    splits: Splits = Splits()
    features: Features = Features()
    max_bytes: Annotated[int, Field(gt=0)] = 20_000_000  # of one encoded picture
    max_pixels: Annotated[int, Field(gt=0)] = 50_000_000  # of one decoded picture, height x width
    cache_dir: str = "~/.cache/image-classification-pipeline"  # where downloads are kept


class Gate(Section):
    """What DataGate does about each kind of finding: stop the run, only warn, or not look."""

    anomalies: Action = "stop"  # found by ExampleValidator against the schema
    rejected: Action = "stop"  # more than `max_rejected` of the pictures could not be used
    leaks: Action = "stop"  # the same pixels in more than one split
    conflicts: Action = "stop"  # the same pixels under more than one label
    duplicates: Action = "warn"  # the same pixels more than once in one split
    max_rejected: Fraction = 0.01


class Transform(Section):
    size: Annotated[int, Field(ge=8, le=1024)] = 32  # pixels; height and width of the model's input


class Trainer(Section):
    strategy: Literal["auto", "cpu", "gpu", "multi_worker", "tpu"] = "auto"
    tpu: str = ""  # its name or grpc:// address; found from the environment if empty
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the devices are fast in it
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 64  # pictures a step, over all replicas
    per_replica: bool = False  # batch_size and learning_rate are of one replica, and grow with their number
    learning_rate: Annotated[float, Field(gt=0)] = 0.08  # of Muon, at the start: it falls to zero in a straight line
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    stem_stride: Literal[1, 2] = 2  # pixels between the patches that the network looks at first; 2 is 4 times as fast
    width: Annotated[int, Field(ge=4)] = 32  # channels of the first convolutions; later ones have twice as many
    depth: Annotated[int, Field(ge=1)] = 2  # convolutions between two halvings of the picture
    flip: bool = True  # left-right mirror images are the same class
    translate: Annotated[int, Field(ge=0)] = 2  # pixels, at most, in each direction
    cutout: Annotated[int, Field(ge=0)] = 0  # pixels; side of a square that is blanked in each picture, 0: none
    mixup: Annotated[float, Field(ge=0, le=1)] = 0.0  # pairs of pictures blended, alpha of the weights; 0: none
    cutmix: Annotated[float, Field(ge=0, le=1)] = 0.0  # rectangles of one picture pasted into another; 0: none
    ensemble: Annotated[int, Field(ge=1)] = 1  # networks trained one after the other; an answer is the mean of theirs
    # An answer is the mean over so many views of the picture, and takes as many times as long. 2: itself and its mirror
    # image; 6: both of them also moved by a pixel, up left and down right.
    test_time_views: Literal[1, 2, 6] = 1
    cache_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000  # decoded pictures kept in memory; else streamed
    checkpoint_seconds: Annotated[int, Field(ge=0)] = 30  # between two checkpoints, at least


_NOT_SOUGHT = ("ensemble", "cache_bytes", "checkpoint_seconds")  # no network learns better by them


class Tuner(Section):
    """The search for better settings of the trainer, before it trains."""

    trials: Annotated[int, Field(ge=0)] = 0  # trainings; 0: no search
    # Both ends of the range in which each setting of `trainer` is looked for.
    space: dict[str, tuple[float, float]] = {"learning_rate": (0.02, 0.4), "label_smoothing": (0.05, 0.3)}

    @field_validator("space")
    @classmethod
    def _of_the_trainer(cls, space: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        numbers = [name for name, field in Trainer.model_fields.items() if field.annotation in (int, float)]
        sought = [name for name in numbers if name not in _NOT_SOUGHT]
        for name, ends in space.items():
            if name not in sought:
                raise ValueError(f"{name!r} is nothing to look for; of the trainer these are: {', '.join(sought)}")
            for end in ends:
                try:
                    Trainer.model_validate({name: end})
                except ValidationError as error:
                    raise ValueError(f"{name} = {end:g}: {error.errors()[0]['msg'].lower()}") from None
            if ends[0] >= ends[1]:
                raise ValueError(f"{name}: write it as [low, high], not {list(ends)}")
        return space

    @model_validator(mode="after")
    def _something_to_look_for(self) -> Tuner:
        if self.trials and not self.space:
            raise ValueError("tuner.trials needs a range in tuner.space, for example learning_rate: [0.02, 0.4]")
        return self


class Evaluator(Section):
    min_accuracy: Fraction = 0.5  # floor over the whole test split
    min_class_recall: Fraction = 0.2  # floor for the worst class
    max_drop: Fraction = 0.01  # how much lower than the baseline's the accuracy may be
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95  # of the intervals
    gates: tuple[
        model_gates.Gate, ...
    ] = ()  # more that a model must reach; one of what a setting above holds replaces that

    @model_validator(mode="after")
    def _hold_each_thing_once(self) -> Evaluator:
        self.table()
        return self

    def table(self) -> list[model_gates.Gate]:
        """Return all gates: those of the short settings, and the listed ones."""
        return model_gates.table({name: getattr(self, name) for name in model_gates.SHORT}, self.gates)


class Serving(Section):
    dir: str | None = None  # where models are pushed; <run_dir>/serving if not set
    timeout_seconds: Annotated[int, Field(ge=1)] = 3600  # in which the exported model must predict the test split
    keep: Annotated[int, Field(ge=1)] | None = None  # versions of a model that `gc` leaves, the newest; all if not set


class Metadata(Section):
    # mysql://… or postgresql://…, or env:NAME or file:PATH that holds it; SQLite in the run directory if not set
    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _of_a_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not server_url.is_reference(url.get_secret_value()):
            server_url.split(url.get_secret_value())
        return url

    @field_serializer("url")
    def _without_password(self, url: SecretStr | None) -> str | None:
        """What is shown and stored."""
        return None if url is None else server_url.masked(url.get_secret_value())


class Beam(Section):
    args: tuple[str, ...] = ("--runner=FnApiRunner", "--direct_running_mode=in_memory", "--direct_num_workers=1")


class Config(Section):
    """The whole configuration of a run.

    Nothing in it refers to a machine but `run_dir` and the paths that the user gives.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "digits"  # of the data set and its model
    preset: str = "digits"  # what the other values start from: the name of a file in presets/
    schema_file: str | None = None  # a curated schema; schema/<name>/schema.pbtxt where it exists, else inferred
    run_dir: str = "output"  # ML Metadata, artifacts, logs and serving
    artifacts_dir: str | None = None  # may be remote, for workers elsewhere; <run_dir>/artifacts if not set
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: Data = Data()
    gate: Gate = Gate()
    transform: Transform = Transform()
    trainer: Trainer = Trainer()
    tuner: Tuner = Tuner()
    warm_start: bool = False  # training begins with the weights of the latest blessed model
    evaluator: Evaluator = Evaluator()
    serving: Serving = Serving()
    metadata: Metadata = Metadata()
    beam: Beam = Beam()
    vertex: Vertex = Vertex()

    @model_validator(mode="after")
    def _variations_are_possible(self) -> Config:
        size = self.transform.size
        for key, pixels in (("translate", self.trainer.translate), ("cutout", self.trainer.cutout)):
            if pixels >= size:
                raise ValueError(f"trainer.{key} = {pixels} must be smaller than transform.size = {size}")
        if self.trainer.mixup and self.trainer.cutmix:
            raise ValueError("trainer.mixup and trainer.cutmix mix each picture with another: set one of them to 0")
        return self


def load(
    preset: str | None = None, file: str | None = None, settings: tuple[str, ...] = ()
) -> tuple[Config, dict[str, str]]:
    """The Config and, for each dotted key, its origin: `default`, `preset NAME`, the file's path or `--set`.

    Without `preset`, the one that a layer names, else the one of the data: `digits`, `cifar10`, or `folder` with the
    name of the folder or archive.

    Raises:
      UserError: an unknown preset or key, a value that does not fit, a file that cannot be read.
    """
    layers = [(file, _read_yaml(Path(file)))] if file is not None else []
    layers += [("--set", _parse_setting(setting)) for setting in settings]
    for origin, layer in layers:
        _check_keys(layer, Config, origin)
    preset = preset or next((str(layer["preset"]) for _, layer in reversed(layers) if layer.get("preset")), None)
    if preset is None:
        source = next((str(s) for s in (_source(layer) for _, layer in reversed(layers)) if s), "digits")
        known = source in preset_names() and _source(_read_yaml(preset_path(source))) == source
        preset = source if known else "folder"
        if preset == "folder":
            from components.example_gen import sources  # reads pictures, and takes a moment to import

            layers.insert(0, ("name of the data", {"name": sources.locate(source, "").name}))
    layers.insert(0, (f"preset {preset}", _read_yaml(preset_path(preset)) | {"preset": preset}))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        _merge(values, layer, origin, origins)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error, origins)) from None
    return config, {key: origins.get(key, "default") for key in flatten(config.model_dump())}


def _source(layer: dict[str, Any]) -> Any:
    return layer.get("data", {}).get("source")


def preset_names() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset_path(name: str) -> Path:
    if name not in preset_names():
        raise UserError(f"unknown preset '{name}'; the presets are {', '.join(preset_names())}")
    return PRESETS / f"{name}.yaml"


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a.b': value} of {'a': {'b': value}}, in the order of declaration."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the config file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(
            f"the config file {path} is not valid YAML: {server_url.masked(' '.join(str(error).split()))}"
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"the config file {path} must hold `key: value` lines, not a {type(values).__name__}")
    return values


def _parse_setting(setting: str) -> dict[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise UserError(f"--set {server_url.masked(setting)!r}: write it as key=value, for example trainer.epochs=3")
    try:
        value: Any = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        value = text
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _check_keys(layer: dict[str, Any], section: type[BaseModel], origin: str, prefix: str = "") -> None:
    for key, value in layer.items():
        if key not in section.model_fields:
            near = difflib.get_close_matches(str(key), section.model_fields, n=1)
            known = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(section.model_fields)}"
            raise UserError(f"unknown config key {prefix + str(key)!r} ({origin}); {known}")
        inner = section.model_fields[key].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, dict):
                raise UserError(f"config key {prefix + key!r} ({origin}) is a section; set one of its keys instead")
            _check_keys(value, inner, origin, f"{prefix}{key}.")


def _merge(into: dict[str, Any], layer: dict[str, Any], origin: str, origins: dict[str, str], prefix: str = "") -> None:
    for key, value in layer.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value, origin, origins, f"{prefix}{key}.")
        else:
            into[key] = value
            origins[prefix + key] = origin


def _explain(error: ValidationError, origins: dict[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    secret = key == "metadata.url"
    given = f" = {first['input']!r}" if not isinstance(first["input"], dict) and not secret else ""
    origin = f" ({origins[key]})" if key in origins else ""
    return f"config key '{key}'{given}{origin}: {message}" if key else message
