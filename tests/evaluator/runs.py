"""Runs TFX's own Evaluator executor on digits, as the pipeline does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from components.contracts import features as f
from components.contracts.counts import COUNTS_FILE
from components.contracts.gates import Gate, table
from tests.examples import BEAM_ARGS


def examples_artifact(uri: Path | str) -> object:
    from tfx.types import artifact_utils, standard_artifacts

    artifact = standard_artifacts.Examples()
    artifact.uri = str(uri)
    artifact.split_names = artifact_utils.encode_split_names([f.TEST])
    return artifact


def model_artifact(uri: Path | str, model_id: int = 1) -> object:
    from tfx.types import standard_artifacts

    artifact = standard_artifacts.Model()
    artifact.uri, artifact.id = str(uri), model_id
    return artifact


def evaluate(
    out: Path,
    examples: Path,
    model: str,
    baseline: str | None = None,
    min_accuracy: float = 0.5,
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

    inputs = {"examples": [examples_artifact(examples)], "model": [model_artifact(model, 2)]}
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
    context = Executor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(out / "tmp"), unique_id="1")
    Executor(context).Do(inputs, {"evaluation": [evaluation], "blessing": [blessing]}, properties)
    return evaluation.uri, blessing.get_int_custom_property("blessed") == 1


def write_examples(root: Path, rows: list[tuple[object, int, str]], suffix: str = ".gz") -> Path:
    """An Examples artifact's folder with the split `test`: a row is (uint8 [H, W, 3], label, class name)."""
    import tensorflow as tf

    from tests.examples import example

    folder = root / f"Split-{f.TEST}"
    folder.mkdir(parents=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP" if suffix else "")
    path = folder / f"data_tfrecord-00000-of-00001{suffix}"
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for i, (pixels, label, name) in enumerate(rows):
            writer.write(example(pixels, label, name, f"{name}/{i}"))
    counts = Counter(name for _, _, name in rows)
    (root / COUNTS_FILE).write_text(json.dumps({"class_names": sorted(counts), "splits": {f.TEST: counts}}))
    return root


def digit_rows(start: int = 1580, stop: int = 1797) -> list[tuple[object, int, str]]:
    from tests.examples import DIGITS, digit_pictures

    pixels, labels = digit_pictures()
    return [(pixels[i], int(labels[i]), DIGITS[labels[i]]) for i in range(start, stop)]
