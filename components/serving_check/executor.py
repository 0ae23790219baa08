"""The executor of ServingCheck: runs the client in a process of its own and judges its report."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from absl import logging
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

import components
from components.contracts import counts, evaluation, serving
from components.contracts import features as f
from components.serving_check import client
from components.tfx_types import Artifacts

Pairs = Counter[tuple[str, str]]  # (class, predicted class): images


class Executor(base_executor.BaseExecutor):
    """See component.ServingCheck for inputs, outputs and parameters."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the `blessing`, with the reasons if it is none, and the `predictions`.

        Raises:
          Damaged: the test split has lost records.
        """
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        predictions = artifact_utils.get_single_uri(output_dict["predictions"])
        examples = artifact_utils.get_single_uri(input_dict["examples"])
        counts.verify(examples, [f.TEST])
        fileio.makedirs(predictions)
        request = client.Request(
            model=path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)),
            examples=counts.split_files(examples, f.TEST),
            output=predictions,
        )
        client_report = _run_client(request, exec_properties["timeout_seconds"])
        evaluated = artifact_utils.get_single_uri(input_dict["evaluation"])
        reasons = client_report.problems or _differences(client_report, evaluation.confusion(evaluated))
        for reason in reasons:
            logging.info("Not fit to serve: %s", reason)
        report = serving.ServingReport(
            not reasons, reasons, client_report.pictures, client_report.compared, client_report.ties
        )
        serving.write(blessing.uri, report)
        # The marker and the property are what TFX's InfraValidator writes and its Pusher reads.
        marker = "INFRA_NOT_BLESSED" if reasons else "INFRA_BLESSED"
        io_utils.write_string_file(os.path.join(blessing.uri, marker), "")
        blessing.set_int_custom_property("blessed", 0 if reasons else 1)


def _run_client(request: client.Request, timeout_seconds: int) -> client.ClientReport:
    """Return what the client process reports, or that it died before it reported."""
    # TensorFlow Transform sets the variable for its whole process; a server does not have it.
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    root = str(Path(components.__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    try:
        process = subprocess.run(
            [sys.executable, "-m", client.__name__],
            input=json.dumps(dataclasses.asdict(request)),
            env=environment,
            timeout=timeout_seconds,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return client.ClientReport([f"the model did not answer all images within {timeout_seconds} s"])
    logging.info("The client of the model wrote:\n%s", process.stderr)
    if process.returncode != 0:
        last_line = (process.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        return client.ClientReport([f"the client of the model ended with exit code {process.returncode}: {last_line}"])
    with fileio.open(os.path.join(request.output, client.ANSWERS_FILE), "r") as file:
        return client.ClientReport(**json.loads(file.read()))


def _differences(client_report: client.ClientReport, evaluated: Pairs) -> list[str]:
    """Return how the served model differs from the evaluated one, by cell of the confusion matrix.

    Another machine, or another batch, may round differently and so decide a tie the other way: as many
    images as the served model has ties may be in another cell, and no more.
    """
    served: Pairs = Counter(
        {(name, predicted): n for name, row in client_report.pairs.items() for predicted, n in row.items()}
    )
    if served.total() != evaluated.total():
        return [f"{served.total()} images were served, but {evaluated.total()} evaluated"]
    moved = (served - evaluated).total()  # every image that left a cell is surplus in another
    if moved <= client_report.ties:
        return []
    images = served.total()
    right, expected = (sum(n for (a, b), n in pairs.items() if a == b) for pairs in (served, evaluated))
    return [
        f"at least {moved} of {images} images are in another class when served than when evaluated (accuracy "
        f"{right / images:.4f} served, {expected / images:.4f} evaluated); ties explain {client_report.ties}"
    ]
