"""`vertex batch-predict`: classes of all images in a folder of the bucket, as a table."""

from __future__ import annotations

import argparse
import re
from typing import Any

from components.errors import UserError
from pipeline.cli.options import add_config
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import add_wait, on_google_cloud
from pipeline.prediction.table import check_output

_CODES = (
    ("0", "every image has an answer; or sent, with --no-wait"),
    ("1", "no table: the job failed or was stopped, or Google does not answer"),
    ("2", "a mistake, and nothing was sent; or some images have no answer"),
    ("130", "interrupted; the job keeps running"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        ("gs://B/new --output gs://B/new.csv", "with the latest model"),
        ("gs://B/new --output gs://B/n.csv --no-wait", "send the job alone"),
    )
    describe(parser, "Classify all images in a folder of the bucket, in a job on Vertex AI.", examples, _CODES)
    parser.add_argument("folder", metavar="FOLDER", type=_in_bucket, help="gs://BUCKET/PATH, with the images")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=_table,
        required=True,
        help="gs://… of the table, a .csv, .jsonl or .parquet file that is not there yet",
    )
    parser.add_argument(
        "--model",
        metavar="FOLDER",
        type=_in_bucket,
        help="gs://… of a pushed version (default: the latest below serving/NAME in vertex.bucket)",
    )
    parser.add_argument(
        "--hours", metavar="H", type=_hours, default=24.0, help="after which Vertex AI stops the job (default: 24)"
    )
    add_config(parser, data=False)
    add_wait(parser)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Send the job, and follow it unless `--no-wait` is given."""
    from pipeline.platforms.vertex import batch_predict

    return batch_predict.run(config, args.folder, args.output, args.model, args.hours, args.wait)


def _in_bucket(text: str) -> str:
    if not re.fullmatch(r"gs://[^/]+/+[^/].*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not in Cloud Storage: write gs://BUCKET/PATH")
    return text.rstrip("/")


def _table(text: str) -> str:
    try:
        return check_output(_in_bucket(text))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= 7 * 24:
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0, at most 168, which are seven days")
    return hours
