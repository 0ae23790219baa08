"""`predict`: classes and probabilities of image files, from the latest pushed model, as a client asks it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts import features
from components.contracts.model import SAVED_MODEL_FILE
from components.errors import Damaged, UserError
from components.example_gen.config import Data
from components.file_names import is_description
from components.files import exists, is_folder, is_remote, read_bytes, walk
from components.imports import gc_paused
from components.pusher import manifest
from components.text import printable
from pipeline.cli.options import add_config
from pipeline.config import Config
from pipeline.output import redirect_output
from pipeline.tracking import metadata
from pipeline.tracking.queries import RunStore

if TYPE_CHECKING:
    from components.example_gen.rejected import Rejected

LIMITS = ("max_bytes", "max_pixels", "max_side")  # keys of `data` that decide what is read of an image
BATCH, BATCH_BYTES = 256, 64 << 20  # the largest batch, in images and in bytes
_LINE = 4096  # characters of a name; paths are longer than what else is printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an image, or a folder of images")
    parser.add_argument("--name", help="name of the model (default: the latest pushed one)")
    parser.add_argument("--model", metavar="DIR", help="folder of a model version, also one pushed elsewhere")
    parser.add_argument("--top", type=int, default=3, metavar="K", help="classes to print for an image (default 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_config(parser, data=False)


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the classes of the images."""
    own = {key for key in LIMITS if args.origins[f"data.{key}"] != "default"}
    return run(config, args.paths, args.name, args.model, args.top, args.json, own)


def run(
    config: Config,
    paths: list[str],
    name: str | None,
    model: str | None,
    top: int,
    as_json: bool,
    own: Set[str] = frozenset(),
) -> int:
    """Print the classes of every image. Return 0, or 2 if a file could not be read.

    Args:
      name: of the pushed model; of any if None.
      model: the folder of one, wherever it was pushed; the latest that ML Metadata knows if None.
      own: the keys of `data` that are read from `config`, whatever the model's training images were read with.
    """
    files = _files(paths)
    if model is not None and not exists(f"{model}/{SAVED_MODEL_FILE}"):
        raise UserError(f"--model {model}: there is no SavedModel; name the folder of a version, .../NAME/VERSION")
    model_path = model or latest_pushed(config, name)
    if wrong := manifest.damage(model_path):
        raise Damaged(
            f"the pushed model {model_path} is damaged: {wrong}; `image-pipeline run` pushes it again, and --model "
            "names another version"
        )
    limits = _limits(config, model_path, own)
    with redirect_output(os.devnull):
        served = _load(model_path)
    named = {Path(text) for text in paths}
    failed = False
    while files:
        with redirect_output(os.devnull):  # TensorFlow and libjpeg print messages about damaged files
            batch = _read_batch(files, named, limits)
            images = [image for _, image in batch if isinstance(image, bytes)]
            answers = iter(_answers(served, model_path, images))
        for file, image in batch:
            if isinstance(image, bytes):
                _show(file, next(answers), top, as_json)
            else:
                failed = True
                print(f"error: {printable(str(file), _LINE)}: {printable(image.reason, _LINE)}", file=sys.stderr)
    return 2 if failed else 0


def _limits(config: Config, model_path: str, own: Set[str]) -> Data:
    """Return the limits that the model's training images were read with; of another run directory's, those of `config`.

    Args:
      own: the keys of `config.data` that are taken all the same.
    """
    path = model_path if is_remote(model_path) else os.path.realpath(model_path)
    data = RunStore(config).data_of_path(path) if metadata.exists(config) else None
    if data is None:
        return config.data
    return config.data.model_copy(update={key: getattr(data.settings, key) for key in LIMITS if key not in own})


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


def latest_pushed(config: Config, name: str | None) -> str:
    """Return the folder of the newest pushed version that is still there.

    Raises:
      UserError: there is none.
    """
    if metadata.exists(config):
        store = metadata.open_store(config)
        for artifact in sorted(store.get_artifacts_by_type("PushedModel"), key=lambda a: a.id, reverse=True):
            path = metadata.property_value(artifact, "pushed_destination")
            if path and (name is None or Path(path).parent.name == name) and is_folder(path):
                return str(path)
    condition = f" named '{name}'" if name else ""
    raise UserError(f"no pushed model{condition} in {config.run_dir}; push one with `image-pipeline run`")


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


def _show(file: Path, probabilities: dict[str, float], top: int, as_json: bool) -> None:
    best = next(iter(probabilities))
    if as_json:
        answer: dict[str, Any] = {"path": str(file), "class": best, "probabilities": probabilities}
        line = json.dumps(answer, ensure_ascii=False)
        print(line if line.isprintable() else json.dumps(answer))
        return
    label = "  ".join(f"{printable(name)} {p:.1%}" for name, p in list(probabilities.items())[:top])
    print(f"{printable(str(file), _LINE)}: {label}")
