"""The command line. TensorFlow and TFX are imported only inside the commands that need them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from components.errors import UserError
from pipeline import STAGES
from pipeline.options import add_config, load
from pipeline.vertex import cli as vertex

EXIT_CODES = "exit codes: 0 done (run: the model was pushed), 1 a fault, 2 a mistake of the user, 3 refused by a gate"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    args = _parser().parse_args(argv)
    try:
        return int(args.command(args))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="From labelled pictures to a pushed model.", epilog=EXIT_CODES
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the pipeline", epilog=EXIT_CODES)
    add_config(run)
    run.add_argument(
        "--from", dest="first", metavar="STAGE", choices=STAGES, help="the first stage to run; earlier ones are reused"
    )
    run.add_argument(
        "--to", dest="last", metavar="STAGE", choices=STAGES, help=f"the last stage to run: {', '.join(STAGES)}"
    )
    run.add_argument("--json", action="store_true", help="print the result as one JSON object, last on standard output")
    run.set_defaults(command=_run)

    predict = commands.add_parser("predict", help="classify pictures with the latest pushed model")
    predict.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder of pictures")
    predict.add_argument("--name", help="of the model; the one pushed last if not given")
    predict.add_argument("--top", type=int, default=3, metavar="K", help="classes to show a picture (default 3)")
    predict.add_argument("--json", action="store_true", help="print a JSON object a picture, a line each")
    add_config(predict, data=False)
    predict.set_defaults(command=_predict)

    config = commands.add_parser("config", help="print the configuration and where each value comes from")
    add_config(config)
    config.add_argument("--json", action="store_true", help="print it as one JSON object")
    config.set_defaults(command=_config)

    runs = commands.add_parser("runs", help="list the runs of a run directory")
    add_config(runs)
    runs.add_argument("--json", action="store_true", help="print a JSON array")
    runs.set_defaults(command=_runs)

    report = commands.add_parser("report", help="print the path of the report of a run")
    report.add_argument("run", nargs="?", metavar="RUN", help="or the beginning of one; the latest if not given")
    report.add_argument("--open", action="store_true", help="open it in the browser")
    report.add_argument("--rebuild", action="store_true", help="make it anew from the artifacts")
    add_config(report, data=False)
    report.set_defaults(command=_report)

    show = commands.add_parser("show", help="what came of a run")
    show.add_argument("run", nargs="?", metavar="RUN", help="or the beginning of one; the latest if not given")
    show.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_config(show, data=False)
    show.set_defaults(command=_show)

    lineage = commands.add_parser("lineage", help="where a served model comes from, and what came of any artifact")
    what = "a pushed version, a run, or an artifact as #12; the model pushed last if not given"
    lineage.add_argument("what", nargs="?", metavar="WHAT", help=what)
    lineage.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_config(lineage, data=False)
    lineage.set_defaults(command=_lineage)

    doctor = commands.add_parser("doctor", help="check the environment and the run directory")
    add_config(doctor)
    doctor.add_argument("--fix", action="store_true", help="clean what is safe to clean")
    doctor.set_defaults(command=_doctor)

    schema = commands.add_parser("schema", help="curated schemas")
    actions = schema.add_subparsers(required=True, metavar="ACTION")
    freeze = actions.add_parser(
        "freeze", help="write the schema of the latest run as schema/<name>/schema.pbtxt, to edit"
    )
    add_config(freeze)
    freeze.add_argument("--output", metavar="FILE", help="default: schema/<name>/schema.pbtxt")
    freeze.add_argument("--force", action="store_true", help="replace an existing file")
    freeze.set_defaults(command=_freeze)

    vertex.add(commands)
    return parser


def _run(args: argparse.Namespace) -> int:
    config, _ = load(args)
    if args.first and args.last and STAGES.index(args.first) > STAGES.index(args.last):
        raise UserError(f"--from {args.first} comes after --to {args.last} in the chain")
    from pipeline import local, summary

    screen = sys.stderr if args.json else sys.stdout
    result = local.run(config, args.first, args.last, screen)
    summary.show(result, screen)
    if args.json:
        print(json.dumps(result.to_json()))
    return result.exit_code


def _predict(args: argparse.Namespace) -> int:
    from pipeline import predict

    config, _ = load(args)
    return predict.run(config, args.paths, args.name, args.top, args.json)


def _config(args: argparse.Namespace) -> int:
    from pipeline.config import flatten

    config, origins = load(args)
    values = flatten(config.model_dump(mode="json"))
    if args.json:
        print(json.dumps({key: {"value": value, "origin": origins[key]} for key, value in values.items()}, indent=2))
        return 0
    width = max(len(f"{key}: {json.dumps(value)}") for key, value in values.items() if key != "beam.args")
    for key, value in values.items():
        print(f"{f'{key}: {json.dumps(value)}':<{width}}  # {origins[key]}")
    return 0


def _runs(args: argparse.Namespace) -> int:
    from pipeline import history

    config, _ = load(args)
    return history.show(config, args.json)


def _report(args: argparse.Namespace) -> int:
    from pipeline import report

    config, _ = load(args)
    return report.show(config, args.run, args.rebuild, args.open)


def _show(args: argparse.Namespace) -> int:
    from pipeline import history

    config, _ = load(args)
    return history.show_one(config, args.run, args.json)


def _lineage(args: argparse.Namespace) -> int:
    from pipeline import lineage

    config, _ = load(args)
    return lineage.show(config, args.what, args.json)


def _doctor(args: argparse.Namespace) -> int:
    from pipeline import doctor

    config, _ = load(args)
    return doctor.run(config, args.fix)


def _freeze(args: argparse.Namespace) -> int:
    from pipeline import schemas

    config, _ = load(args)
    return schemas.freeze(config, args.output, args.force)
