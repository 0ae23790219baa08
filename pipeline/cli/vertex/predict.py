"""`vertex predict`: classes and probabilities of image files, from the endpoint that serves the pushed model."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.messages import Messages
from pipeline.cli.options import add_config, add_quiet
from pipeline.cli.parser import describe
from pipeline.cli.predict import add_answers, show
from pipeline.cli.vertex.options import SET, on_google_cloud
from pipeline.prediction import answers, reading
from pipeline.prediction.reading import Limits

_CODES = (
    ("0", "every image has an answer"),
    ("1", "Google Cloud does not answer, or a quota is used up"),
    ("2", "a mistake of the user, or an image without an answer"),
    ("130", "interrupted"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        (f"five.png {SET}", "ask the endpoint of the pipeline"),
        (f"photos/ --endpoint 123 {SET}", "ask another endpoint about a folder"),
    )
    describe(parser, "Classify images with the model that an endpoint serves.", examples, _CODES)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an image, or a folder of images, local or gs://")
    parser.add_argument(
        "--endpoint",
        metavar="ENDPOINT",
        help="display name, number or resource name (default: the one that runs of the pipeline deploy to)",
    )
    add_answers(parser)
    add_quiet(parser, "the classes", "what TensorFlow prints")
    add_config(parser, data=False)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Print the classes of the images, and which model answered."""
    messages = Messages.of(args)
    files = reading.files(args.paths)
    from pipeline.platforms.vertex.predict import Asked

    asked = Asked(config, args.endpoint, messages.say)
    if not messages.as_json:
        messages.say(f"endpoint  {asked.endpoint.display_name}: {asked.endpoint.name}", "bold")
    limits = Limits.of(config.data)
    code = show(answers.of(files, limits, asked.answer, messages.waiting), args.top, messages, args.output)
    if not messages.as_json:
        for model, count in asked.answered.items():
            messages.say(f"answered  {count} by {model}")
        if asked.shrunk:
            messages.say(f"reduced   {asked.shrunk}, which were too large for a request of Vertex AI")
    return code
