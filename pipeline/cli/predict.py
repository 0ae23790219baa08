"""`predict`: classes and probabilities of image files, from the latest pushed model, as a client asks it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Set

from components.errors import UserError
from components.text import printable
from pipeline.cli.messages import Messages
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.prediction import answers, reading, served
from pipeline.prediction.answers import Answer
from pipeline.prediction.reading import Limits
from pipeline.prediction.saved_model import LoadedModel
from pipeline.prediction.table import Table, check_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (
        ("five.png", "classify an image"),
        ("~/photos --output photos.csv", "write a table of all images of a folder"),
    )
    codes = (CODES[0], CODES[1], ("2", "a mistake of the user, or an image that cannot be read"), CODES[3])
    describe(parser, "Classify images with the latest pushed model.", examples, codes)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an image, or a folder of images, local or gs://")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="NAME, NAME/VERSION, or the folder of a version, also one pushed elsewhere; needed where models of "
        "several names are served (default: the latest pushed one)",
    )
    parser.add_argument("--name", dest="model", help=argparse.SUPPRESS)  # as it was called before
    add_answers(parser)
    add_quiet(parser, "the classes", "what TensorFlow prints")
    add_store(parser, "data.max_pixels=N")


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that say how the answers are shown."""
    parser.add_argument("--top", type=int, default=3, metavar="K", help="classes to print for an image (default: 3)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per line")
    form.add_argument(
        "--output",
        metavar="FILE",
        type=_table,
        help="write a table instead: a .csv, .jsonl or .parquet file, local or gs://",
    )


def _table(text: str) -> str:
    try:
        return check_output(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the classes of the images."""
    own = {key for key in Limits._fields if args.origins[f"data.{key}"] != "default"}
    return run(config, args.paths, args.model, args.top, Messages.of(args), own, args.output)


def run(
    config: Config,
    paths: list[str],
    model: str | None,
    top: int,
    messages: Messages,
    own: Set[str] = frozenset(),
    output: str | None = None,
) -> int:
    """Print the classes of every image, or write them as a table. Return 0, or 2 if a file could not be read.

    Args:
      config: of the run directory.
      paths: of images and folders, local or remote.
      model: as `served.find` takes it.
      top: classes to print for an image.
      messages: what to print besides, and whether the classes are printed as JSON.
      own: the keys of `data` that are read from `config`, whatever the model's training images were read with.
      output: the table, in place of what is printed.
    """
    files = reading.files(paths)
    answering = served.find(config, model)
    if not messages.as_json:
        messages.say(f"model     {answering}", "bold")
    with messages.waiting("loading TensorFlow"):
        loaded = LoadedModel(answering.path)
        limits = answering.limits(config.data, own)
    described = {
        "name": answering.name,
        "version": answering.version,
        "path": answering.path,
        "run_id": answering.run_id,
    }

    def ask(images: list[bytes]) -> list[Answer]:
        classes, rows = loaded.answer(images)
        return [Answer(classes, row, described) for row in rows]

    return show(answers.of(files, limits, ask, messages.waiting), top, messages, output)


def show(answered: Iterator[answers.Answered], top: int, messages: Messages, output: str | None) -> int:
    """Print the answers, or write them as the table `output`. Return 0, or 2 if an image has none."""
    table = Table() if output else None
    unanswered = answers.show(answered, top, messages.as_json, table)
    if table is not None and output:
        table.write(output)
        messages.say(
            f"table     {printable(output, reading.LABEL)}: {len(table)} images, {unanswered} without an answer"
        )
    return 2 if unanswered else 0
