"""`vertex`: the commands for Vertex AI Pipelines. Nothing heavy is imported before one of them runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.commands.options import add_config, load_config


def add(commands: Any) -> None:
    """Add `vertex` and its actions to the subparsers of the command line."""
    vertex = commands.add_parser("vertex", help="run the pipeline on Vertex AI Pipelines")
    actions = vertex.add_subparsers(title="actions", required=True, metavar="ACTION")

    compile_ = actions.add_parser("compile", help="write the pipeline's spec; needs no network and no account")
    add_config(compile_)
    compile_.add_argument("--output", metavar="FILE", default="pipeline.json", help="default: pipeline.json")
    compile_.set_defaults(command=_compile)


def _compile(args: argparse.Namespace) -> int:
    config, _ = load_config(args)
    from pipeline.vertex import compile

    compile.run(config, Path(args.output))
    return 0
