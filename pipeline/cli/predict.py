"""`predict`: classes and probabilities of image files, from the latest pushed model, as a client asks it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

from components.text import printable
from pipeline.cli.messages import Messages
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.prediction import reading, served
from pipeline.prediction.reading import Limits
from pipeline.prediction.saved_model import LoadedModel
from pipeline.prediction.served import Served


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


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the classes of the images."""
    own = {key for key in Limits._fields if args.origins[f"data.{key}"] != "default"}
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
      model: as `served.find` takes it.
      top: classes to print for an image.
      messages: what to print besides, and whether the classes are printed as JSON.
      own: the keys of `data` that are read from `config`, whatever the model's training images were read with.
    """
    files = reading.files(paths)
    answering = served.find(config, model)
    if not messages.as_json:
        messages.say(f"model     {answering}", "bold")
    with messages.waiting("loading TensorFlow"):
        loaded = LoadedModel(answering.path)
        batches = reading.batches(files, answering.limits(config.data, own))
    failed = False
    while True:
        with messages.waiting():  # TensorFlow and libjpeg print messages about damaged files
            batch = next(batches, [])
            answers = iter(_answers(loaded, [image for _, image in batch if isinstance(image, bytes)]))
        for file, image in batch:
            if isinstance(image, bytes):
                _show(file, next(answers), top, answering if messages.as_json else None)
            else:
                failed = True
                label = printable(str(file), reading.LABEL)
                print(f"error: {label}: {printable(image.reason, reading.LABEL)}", file=sys.stderr)
        if not batch:
            return 2 if failed else 0


def _answers(loaded: LoadedModel, images: list[bytes]) -> list[dict[str, float]]:
    """Return the probabilities of the classes, the highest first, for each encoded image."""
    if not images:
        return []
    classes, rows = loaded.answer(images)
    return [{classes[i]: float(row[i]) for i in row.argsort()[::-1]} for row in rows]


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
    print(f"{printable(str(file), reading.LABEL)}: {label}")
