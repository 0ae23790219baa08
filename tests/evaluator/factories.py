"""Examples of digits, and their evaluation by TFX's own executor, called as the pipeline calls it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.contracts import features as f
from components.contracts.gates import Gate, table
from tests.datasets import DIGITS, digit_images, example, write_examples
from tests.factories import beam_executor, examples_artifact, model_artifact


def evaluate(
    out: Path,
    examples: Path,
    model: str,
    baseline: str | None = None,
    min_accuracy: float | None = 0.5,
    min_class_recall: float = 0.2,
    max_drop: float = 0.01,
    gates: Sequence[Gate] = (),
) -> tuple[str, bool]:
    """(uri of the ModelEvaluation, blessed)."""
    from tfx.components.evaluator.executor import Executor
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    from components.evaluator import slices
    from components.evaluator.eval_config import eval_config

    inputs = {"examples": [examples_artifact(examples, [f.TEST])], "model": [model_artifact(model, 2)]}
    if baseline:
        inputs["baseline_model"] = [model_artifact(baseline, 1)]
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(out / "evaluation"), str(out / "blessing")
    short = {"min_accuracy": min_accuracy, "min_class_recall": min_class_recall, "max_drop": max_drop}
    config = eval_config(table(short, gates), confidence=0.95)
    properties = {
        "eval_config": proto_utils.proto_to_json(config),
        "example_splits": f'["{f.TEST}"]',
        "module_path": slices.__name__,
        "code_fingerprint": "0",
    }
    beam_executor(Executor, out / "tmp").Do(inputs, {"evaluation": [evaluation], "blessing": [blessing]}, properties)
    return evaluation.uri, blessing.get_int_custom_property("blessed") == 1


def write_rows(root: Path, rows: list[tuple[np.ndarray, int, str]], gzip: bool = True) -> Path:
    """An Examples artifact's folder with the split `test`: a row is (uint8 [H, W, 3], label, class name)."""
    records = [example(pixels, label, name, f"{name}/{i}") for i, (pixels, label, name) in enumerate(rows)]
    return write_examples(root, {f.TEST: records}, gzip=gzip)


def digit_rows(start: int = 1580, stop: int = 1797) -> list[tuple[np.ndarray, int, str]]:
    pixels, labels = digit_images()
    return [(pixels[i], int(labels[i]), DIGITS[labels[i]]) for i in range(start, stop)]
