"""`run`, `predict` and `config`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import Any

from components.errors import UserError
from pipeline import ALL_STAGES
from pipeline.commands.options import add_config, add_improvements, load_config

EXIT_CODES = (
    "exit codes: 0 done (run: the model was pushed), 1 a fault, 2 a mistake of the user, 3 refused by a gate, 130, 143 "
    "or 129 stopped by Ctrl-C, SIGTERM or SIGHUP: the same command goes on"
)


def add(commands: Any) -> None:
    run = commands.add_parser("run", help="run the pipeline", epilog=EXIT_CODES)
    add_config(run)
    run.add_argument(
        "--from",
        dest="first",
        metavar="STAGE",
        choices=ALL_STAGES,
        help="the first stage to run; earlier ones are reused",
    )
    run.add_argument(
        "--to", dest="last", metavar="STAGE", choices=ALL_STAGES, help=f"the last stage to run: {', '.join(ALL_STAGES)}"
    )
    add_improvements(run)
    run.add_argument("--json", action="store_true", help="print the result as one JSON object, last on standard output")
    run.set_defaults(command=_run)

    predict = commands.add_parser("predict", help="classify pictures with the latest pushed model")
    predict.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder of pictures")
    predict.add_argument("--name", help="of the model; the one pushed last if not given")
    predict.add_argument("--model", metavar="DIR", help="the folder of a version, also one pushed elsewhere")
    predict.add_argument("--top", type=int, default=3, metavar="K", help="classes to show a picture (default 3)")
    predict.add_argument("--json", action="store_true", help="print a JSON object a picture, a line each")
    add_config(predict, data=False)
    predict.set_defaults(command=_predict)

    config = commands.add_parser("config", help="print the configuration and where each value comes from")
    add_config(config)
    config.add_argument("--json", action="store_true", help="print it as one JSON object")
    config.set_defaults(command=_config)


def _run(args: argparse.Namespace) -> int:
    config, _ = load_config(args)
    if args.first and args.last and ALL_STAGES.index(args.first) > ALL_STAGES.index(args.last):
        raise UserError(f"--from {args.first} comes after --to {args.last} in the chain")
    from pipeline import local, summary
    from pipeline.result import HUNG_UP

    screen = sys.stderr if args.json else sys.stdout
    result = local.run(config, args.first, args.last, screen)
    with contextlib.suppress(*[OSError] if result.exit_code == HUNG_UP else []):  # the terminal is gone
        summary.show(result, screen)
        if args.json:
            print(json.dumps(result.to_json()))
    return result.exit_code


def _predict(args: argparse.Namespace) -> int:
    from pipeline import predict

    config, _ = load_config(args)
    return predict.run(config, args.paths, args.name, args.model, args.top, args.json)


def _config(args: argparse.Namespace) -> int:
    from pipeline.config import flatten

    config, origins = load_config(args)
    values = flatten(config.model_dump(mode="json"))
    if args.json:
        print(json.dumps({key: {"value": value, "origin": origins[key]} for key, value in values.items()}, indent=2))
        return 0
    width = max(len(f"{key}: {json.dumps(value)}") for key, value in values.items() if key != "beam.args")
    for key, value in values.items():
        print(f"{f'{key}: {json.dumps(value)}':<{width}}  # {origins[key]}")
    return 0
