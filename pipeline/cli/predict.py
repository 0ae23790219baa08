"""`predict`: classes and probabilities of image files, from the latest pushed model, as a client asks it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from components.contracts import features
from components.contracts.model import SAVED_MODEL_FILE
from components.errors import Damaged, UserError
from components.example_gen.config import Data
from components.file_names import is_description
from components.files import exists, is_folder, is_remote, read_bytes, walk
from components.imports import gc_paused
from components.pusher import manifest
from components.text import did_you_mean, printable
from pipeline.cli.messages import Messages
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.tracking import metadata
from pipeline.tracking.queries import Data as TrainedOn
from pipeline.tracking.queries import RunStore, Version

if TYPE_CHECKING:
    from components.example_gen.rejected import Rejected

LIMITS = ("max_bytes", "max_pixels", "max_side")  # keys of `data` that decide what is read of an image
BATCH, BATCH_BYTES = 256, 64 << 20  # the largest batch, in images and in bytes
_LINE = 4096  # characters of a name; paths are longer than what else is printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("five.png", "classify an image"), ("~/photos --json", "all images of a folder, an object a line"))
    codes = (CODES[0], CODES[1], ("2", "a mistake of the user, or an image that cannot be read"), CODES[3])
    describe(parser, "Classify images with the latest pushed model.", examples, codes)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an image, or a folder of images")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="NAME, NAME/VERSION, or the folder of a version, also one pushed elsewhere; needed where models of "
        "several names are served (default: the latest pushed one)",
    )
    parser.add_argument("--name", dest="model", help=argparse.SUPPRESS)  # as it was called before
    parser.add_argument("--top", type=int, default=3, metavar="K", help="classes to print for an image (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_quiet(parser, "the classes", "what TensorFlow prints")
    add_store(parser, "data.max_pixels=N")


class Served(NamedTuple):
    """A pushed model, and what is known of it."""

    name: str
    version: str
    path: str
    run_id: str = ""  # of the run that pushed it; empty where it was pushed elsewhere
    data: TrainedOn | None = None

    def __str__(self) -> str:
        pushed = f", pushed by run {self.run_id}" if self.run_id else ""
        return f"{printable(self.name)} version {printable(self.version)}{pushed}: {short(self.path)}"


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the classes of the images."""
    own = {key for key in LIMITS if args.origins[f"data.{key}"] != "default"}
    return run(config, args.paths, args.model, args.top, Messages.of(args), own)


def run(
    config: Config,
    paths: list[str],
    model: str | None,
    top: int,
    messages: Messages,
    own: Set[str] = frozenset(),
) -> int:
    """Print the classes of every image. Return 0, or 2 if a file could not be read.

    Args:
      config: of the run directory.
      paths: of images and folders.
      model: as `find` takes it.
      top: classes to print for an image.
      messages: what to print besides, and whether the classes are printed as JSON.
      own: the keys of `data` that are read from `config`, whatever the model's training images were read with.
    """
    files = _files(paths)
    answering = find(config, model)
    if wrong := manifest.damage(answering.path):
        raise Damaged(
            f"the pushed model {answering.path} is damaged: {wrong}; `image-pipeline run` pushes it again, and --model "
            "names another version"
        )
    if not messages.as_json:
        messages.say(f"model     {answering}", "bold")
    limits = config.data
    with messages.waiting("loading TensorFlow"):
        served_model = _load(answering.path)
        if answering.data:  # the limits that the model's training images were read with
            read_with = {key: getattr(answering.data.settings, key) for key in LIMITS if key not in own}
            limits = config.data.model_copy(update=read_with)
    named = {Path(text) for text in paths}
    failed = False
    while files:
        with messages.waiting():  # TensorFlow and libjpeg print messages about damaged files
            batch = _read_batch(files, named, limits)
            images = [image for _, image in batch if isinstance(image, bytes)]
            answers = iter(_answers(served_model, answering.path, images))
        for file, image in batch:
            if isinstance(image, bytes):
                _show(file, next(answers), top, answering if messages.as_json else None)
            else:
                failed = True
                print(f"error: {printable(str(file), _LINE)}: {printable(image.reason, _LINE)}", file=sys.stderr)
    return 2 if failed else 0


def find(config: Config, model: str | None) -> Served:
    """Return the pushed model that `model` names: NAME, NAME/VERSION, VERSION or a folder; if None the latest.

    Raises:
      UserError: there is none, or models of several names are served and none is named.
    """
    store = RunStore(config) if metadata.exists(config) else None
    if model is not None and exists(f"{model}/{SAVED_MODEL_FILE}"):
        return _of_folder(store, model)
    latest = _latest(store) if store else {}
    if model is not None and model not in latest and (Path(model).exists() or is_remote(model)):
        raise UserError(f"--model {model}: there is no SavedModel; name the folder of a version, .../NAME/VERSION")
    if store and model is not None and model not in latest and model.rpartition("/")[2].isdigit():
        return _of_version(store, store.version(model))
    if not latest:
        condition = f" named '{model}'" if model else ""
        raise UserError(f"no pushed model{condition} in {config.run_dir}; push one with `image-pipeline run`")
    if model is not None and model not in latest:
        raise UserError(f"--model {model}: no model of that name is served; {did_you_mean(model, latest)}")
    if model is None and len(latest) > 1:
        models = ", ".join(f"{name} (version {version.version})" for name, version in latest.items())
        raise UserError(
            f"{config.run_dir} serves models of {len(latest)} names: {models}; choose one with --model NAME"
        )
    assert store
    return _of_version(store, latest[model or next(iter(latest))])


def served(config: Config) -> list[str]:
    """Return the names of the models that are served from a run directory."""
    return list(_latest(RunStore(config))) if metadata.exists(config) else []


def _latest(store: RunStore) -> dict[str, Version]:
    """Return the newest pushed version of each name whose folder is still there, the newest first."""
    latest: dict[str, Version] = {}
    for version in reversed(store.versions()):
        name = Path(version.path).parent.name  # as TensorFlow Serving has it
        if name not in latest and is_folder(version.path):
            latest[name] = version
    return latest


def _of_version(store: RunStore, version: Version) -> Served:
    trained_on = store.data_of_path(version.path)
    return Served(version.name, version.version, version.path, version.node.run_id, trained_on)


def _of_folder(store: RunStore | None, folder: str) -> Served:
    """Return the model in a folder; what is known of it, if it was pushed from here."""
    path = folder.rstrip("/") if is_remote(folder) else os.path.realpath(folder)
    known = [version for version in store.versions() if version.path == path] if store else []
    if store and known:
        return _of_version(store, known[-1])._replace(path=folder)
    return Served(Path(path).parent.name, Path(path).name, folder)


def _load(model_path: str) -> Any:
    """Return the SavedModel in a folder, which has the signature `serve_images`."""
    with gc_paused():
        import tensorflow as tf
    try:
        model = tf.saved_model.load(model_path)
        model.signatures[features.SERVE_IMAGES]
    except Exception as error:  # TensorFlow raises many kinds of errors for a damaged folder
        raise UserError(
            f"the model {model_path} cannot be loaded ({_one_line(error)}): name another with --model, or push one "
            "with `image-pipeline run`"
        ) from None
    return model


def _read_batch(files: list[Path], named: Set[Path], limits: Data) -> list[tuple[Path, bytes | Rejected]]:
    """Take the first files off the list; return an image to predict for each, or the reason why it cannot be read."""
    from components.example_gen import decoding, images
    from components.example_gen.rejected import Rejected

    batch: list[tuple[Path, bytes | Rejected]] = []
    size = 0
    while files and len(batch) < BATCH and size < BATCH_BYTES:
        file = files.pop(0)
        image: bytes | Rejected
        try:
            raw = _read(file, limits.max_bytes, file in named)
            image = images.canonical_bytes(
                raw, limits.max_bytes, limits.max_pixels, limits.max_side or decoding.MAX_SIDE
            )
            size += len(image)
        except Rejected as error:
            image = error
        except OSError as error:
            image = Rejected(f"cannot be read ({error.strerror or error})")
        batch.append((file, image))
    return batch


def _read(file: Path, limit: int, named: bool) -> bytes:
    """Return the content of the file; of a file with more than `limit` bytes only the first limit + 1.

    Args:
      named: by the user, who may name a pipe or a device.
    """
    if not named or file.is_file():
        return read_bytes(str(file), limit)
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # do not wait for the writer of a pipe
    os.set_blocking(descriptor, True)
    with open(descriptor, "rb") as stream:
        return stream.read(limit + 1)


def _answers(served: Any, model_path: str, images: list[bytes]) -> list[dict[str, float]]:
    """Return the probabilities of the classes, the highest first, for each encoded image."""
    import tensorflow as tf

    if not images:
        return []
    try:
        answers = served.signatures[features.SERVE_IMAGES](tf.constant(images))
        classes = [text.decode() for text in answers[features.CLASS_NAMES].numpy()[0]]
        rows = answers[features.PROBABILITIES].numpy()
    except Exception as error:  # a model from elsewhere
        raise UserError(f"the model {model_path} does not answer: {_one_line(error)}") from None
    return [{classes[i]: float(row[i]) for i in row.argsort()[::-1]} for row in rows]


def _one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()) or type(error).__name__, 200)


def _files(paths: list[str]) -> list[Path]:
    """Return the files named and the files in named folders that `run` would read, sorted by name."""
    files: list[Path] = []
    for text in paths:
        path, label = Path(text), printable(text, _LINE)
        if path.is_dir():
            try:
                below = [name for name in walk(text)[0] if not is_description(name)]
            except OSError as error:
                raise UserError(f"{label}: {error.filename} cannot be read ({error.strerror})") from None
            if not below:
                raise UserError(f"{label}: the folder holds no image")
            files += [path / name for name in below]
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"{label}: no such file or folder")
    return files


def _show(file: Path, probabilities: dict[str, float], top: int, model: Served | None) -> None:
    """Print the classes of an image; with a model as a JSON object."""
    best = next(iter(probabilities))
    if model:
        answer: dict[str, Any] = {
            "path": str(file),
            "class": best,
            "probabilities": probabilities,
            "model": {"name": model.name, "version": model.version, "path": model.path, "run_id": model.run_id},
        }
        line = json.dumps(answer, ensure_ascii=False)
        print(line if line.isprintable() else json.dumps(answer))
        return
    label = "  ".join(f"{printable(name)} {p:.1%}" for name, p in list(probabilities.items())[:top])
    print(f"{printable(str(file), _LINE)}: {label}")
