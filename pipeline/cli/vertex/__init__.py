"""`vertex`: the actions on Vertex AI Pipelines, a module an action. What an action needs is imported when it runs."""

from __future__ import annotations

import argparse

from pipeline.cli.parser import describe
from pipeline.cli.vertex import (
    batch_predict,
    cancel,
    compile,
    endpoint,
    predict,
    promote,
    rollback,
    run_local,
    schedule,
    status,
    submit,
)
from pipeline.cli.vertex.options import EXIT_CODES

# Every action with its module and its line of `--help`, in that order.
ACTIONS = {
    "compile": (compile, "write the pipeline's spec; needs no network and no account"),
    "run-local": (run_local, "run the spec on this machine: a process for each container"),
    "submit": (submit, "run preflight checks, submit the job and follow its status"),
    "schedule": (schedule, "have Vertex AI run the pipeline at given times"),
    "status": (status, "follow a job stage by stage until it ends"),
    "cancel": (cancel, "stop a job and what its stages started"),
    "predict": (predict, "classify images with the model that an endpoint serves"),
    "batch-predict": (batch_predict, "classify all images in a folder of the bucket, as a table"),
    "endpoint": (endpoint, "show which versions of the model serve, and their shares of the traffic"),
    "promote": (promote, "send all traffic to the candidate"),
    "rollback": (rollback, "send all traffic to the version before"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    examples = (
        ("compile --preset cifar10", "write the pipeline's spec, offline"),
        ("submit --config cloud.yaml", "run it in the project that the file names"),
    )
    describe(parser, "Run the pipeline on Vertex AI Pipelines.", examples, EXIT_CODES)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, (module, text) in ACTIONS.items():
        action = actions.add_parser(name, help=text)
        module.add_arguments(action)
        action.set_defaults(command=module.command)
