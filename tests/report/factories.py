"""A run's artifacts, small and made without training, as real stages would leave them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.contracts import features as f
from components.contracts import predictions
from components.contracts.counts import COUNTS_FILE
from components.contracts.evaluation import CalibrationBin, ClassResult, Evaluation, SliceResult
from components.contracts.findings import ANOMALIES, DUPLICATES, LEAKS, STOP, WARN, Finding
from components.contracts.rejects import REJECTED_FILE
from components.contracts.run_result import Result
from components.intervals import f1_score, mean, proportion
from components.report.run import Artifact, Run, Step
from tests.datasets import example, png

STAGES = ("ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform", "Trainer")
STAGES += ("Baseline", "Evaluator", "ServingCheck", "Pusher")
EACH = {f.TRAIN: 4, f.VALIDATION: 2, f.TEST: 3}  # images a class
EPOCHS = 3


def stopped_at_the_gate(root: Path, names: Sequence[str]) -> Run:
    """The data was read, and the gate refused it."""
    result = _result(STAGES[:5], exit_code=3)
    result.stages["DataGate"]["state"] = "refused"
    result.why = ["1 image is in train and in test, e.g. '<b>copy</b>.png'."]
    places = [(f.TRAIN, "<b>copy</b>.png"), (f.TEST, f"{f.TEST}/{names[0]}/1.png")]
    leak = {"pictures": [{"split": split, "class_name": names[0], "source": source} for split, source in places]}
    twins = [f"{f.TRAIN}/{names[0]}/{i}.png" for i in (0, 3)]
    copies = {"pictures": [{"split": f.TRAIN, "class_name": names[0], "source": source} for source in twins]}
    result.findings = [
        Finding(LEAKS, STOP, result.why[0], 1, [leak]),
        Finding(DUPLICATES, WARN, "1 image is a copy.", 1, [copies]),
        Finding(ANOMALIES, WARN, "odd", 1, [{"feature": "width"}]),
    ]
    result.warnings = ["1 image is a copy.", "odd"]
    result.counts = {**{split: each * len(names) for split, each in EACH.items()}, "rejected": 2}
    return _run(result, _data(root, names), None)


def failed_at_once() -> Run:
    """Nothing was made: the source could not be read."""
    result = _result((), exit_code=2)
    result.why = ["there is no folder 'pictures'"]
    return _run(result, {}, None)


def evaluated(root: Path, names: Sequence[str], pushed: bool = True, baseline: bool = False, seed: int = 1) -> Run:
    """The whole chain, with a model that is right two times out of three or nearly; which, the seed decides."""
    artifacts = {**_data(root, names), **_training(root)}
    rng = np.random.default_rng(seed)
    labels = np.arange(len(names)).repeat(EACH[f.TEST])
    predicted = np.where(rng.random(len(labels)) < 0.7, labels, (labels + 1) % len(names))
    artifacts["predictions"] = _predictions(root / "predictions", names, labels, predicted)
    before = None
    if baseline:
        artifacts["previous"] = _previous(root)
        theirs = np.where(rng.random(len(labels)) < 0.4, labels, (labels + 1) % len(names))
        artifacts["baseline_predictions"] = _predictions(root / "baseline", names, labels, theirs)
        before = {"accuracy": float((theirs == labels).mean()), "cross_entropy": 1.5}
    evaluation = _evaluation(names, labels, predicted, before)
    result = _result(STAGES, exit_code=0 if pushed else 3)
    result.counts = {**{split: each * len(names) for split, each in EACH.items()}, "rejected": 2}
    result.metrics = evaluation.summary()
    result.blessed = pushed
    result.why = [] if pushed else ["accuracy 0.6000 is below the minimum 0.9000 (by 0.3000)"]
    result.pushed = {"version": "7", "path": "/models/7"} if pushed else None
    return _run(result, artifacts, evaluation)


def uncertain(root: Path, names: Sequence[str]) -> Run:
    """The whole chain, with confidences of every kind; the figures are those of the recorded predictions."""
    run = evaluated(root, names)
    recorded = predictions.read(run.artifacts["predictions"])
    assert recorded is not None
    rng = np.random.default_rng(2)
    right = np.eye(len(names), dtype=np.float32)[recorded.label]
    doubt = rng.dirichlet(np.full(len(names), 2 / len(names)), len(recorded)).astype(np.float32)
    probabilities = 0.8 * doubt + 0.2 * right
    predicted = probabilities.argmax(axis=1)
    answers = dataclasses.replace(recorded, predicted=predicted, probabilities=probabilities)
    shutil.rmtree(run.artifacts["predictions"])
    (root / "predictions").mkdir()
    predictions.write(run.artifacts["predictions"], 0, answers)
    evaluation = _evaluation(names, recorded.label, predicted, None)
    bins = []
    for low, high in itertools.pairwise(np.linspace(0, 1, 11).tolist()):
        inside = (answers.confidence >= low) & (answers.confidence < high)
        if inside.any():
            measured = float(answers.confidence[inside].mean()), float(answers.right[inside].mean())
            bins.append(CalibrationBin(low, high, int(inside.sum()), *measured))
    return dataclasses.replace(run, evaluation=dataclasses.replace(evaluation, calibration=bins))


def _result(stages: Sequence[str], exit_code: int) -> Result:
    costs = {"state": "done", "seconds": 1.25, "cpu_seconds": 2.5, "peak_bytes": 800_000_000}
    return Result(
        run_id="20260102-030405.678",
        name="shapes",
        source="data/<i>shapes</i>",
        exit_code=exit_code,
        log="run.log",
        artifacts="artifacts",
        stages={stage: dict(costs) for stage in stages},
    )


def _run(result: Result, artifacts: dict[str, str], evaluation: Evaluation | None) -> Run:
    outputs = {"ExampleGen": "examples", "StatisticsGen": "statistics", "SchemaGen": "schema", "Trainer": "model"}
    made = {name: Artifact(i, key, key, f"/somewhere/{key}") for i, (name, key) in enumerate(outputs.items())}
    steps = [
        Step(name, [made["ExampleGen"]] if i else [], [made[name]] if name in made else [])
        for i, name in enumerate(result.stages)
    ]
    versions = {"python": "3.10.0", "keras": "3.12.0"}
    return Run(result, evaluation, artifacts, steps, "name: shapes\n", 5, "image-pipeline run", versions)


def _data(root: Path, names: Sequence[str]) -> dict[str, str]:
    shutil.copytree(_made_data(tuple(names)).name, root, dirs_exist_ok=True)
    return {key: str(root / key) for key in ("examples", "statistics", "schema", "anomalies")}


@functools.cache
def _made_data(names: tuple[str, ...]) -> tempfile.TemporaryDirectory[str]:
    """The artifacts of the data, made once a process for the same classes: TFDV takes most of a test's time."""
    kept = tempfile.TemporaryDirectory()
    _write_data(Path(kept.name), names)
    return kept


def _write_data(root: Path, names: Sequence[str]) -> None:
    import tensorflow as tf
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import statistics_pb2

    rng = np.random.default_rng(0)
    for split, each in EACH.items():
        folder = root / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        path = str(folder / "data_tfrecord-00000-of-00001.gz")
        rows: dict[str, list[float]] = {f.WIDTH: [], f.BRIGHTNESS: [], f.CONTRAST: []}
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for (label, name), i in itertools.product(enumerate(names), range(each)):
                pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                writer.write(example(pixels, label, name, f"{split}/{name}/{i}.png"))
                for key, value in zip(rows, (16, pixels.mean() / 255, pixels.std() / 255)):
                    rows[key].append(float(value))
        import pandas as pd

        statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame(rows), n_jobs=1)
        target = root / "statistics" / f"Split-{split}" / "FeatureStats.pb"
        target.parent.mkdir(parents=True)
        assert isinstance(statistics, statistics_pb2.DatasetFeatureStatisticsList)
        target.write_bytes(statistics.SerializeToString())
    counts = {
        "source": "shapes",
        "class_names": list(names),
        "splits": {split: dict.fromkeys(names, each) for split, each in EACH.items()},
        "rejected": 2,
    }
    (root / "examples" / COUNTS_FILE).write_text(json.dumps(counts))
    rejected = [{"source": f"<u>{i}</u>\n.png", "reason": "broken", "class_name": names[0]} for i in range(2)]
    (root / "examples" / REJECTED_FILE).write_text("".join(json.dumps(row) + "\n" for row in rejected))
    schema = tfdv.infer_schema(statistics)
    (root / "schema").mkdir()
    tfdv.write_schema_text(schema, str(root / "schema" / "schema.pbtxt"))
    for split in EACH:
        anomalies = tfdv.validate_statistics(statistics, schema)
        target = root / "anomalies" / f"Split-{split}" / "SchemaDiff.pb"
        target.parent.mkdir(parents=True)
        target.write_bytes(anomalies.SerializeToString())


def _previous(root: Path) -> str:
    """The findings of the data before, of which the statistics of test stand in for those of its train."""
    folder = root / "previous"
    folder.mkdir()
    shutil.copy(root / "statistics" / f"Split-{f.TEST}" / "FeatureStats.pb", folder / "train_statistics.pb")
    return str(folder)


def _training(root: Path) -> dict[str, str]:
    folder = root / "model_run"
    folder.mkdir()
    history = [
        {
            "epoch": i,
            "loss": 2 / i,
            "accuracy": 1 - 0.5 / i,
            "val_loss": 2.1 / i,
            "val_accuracy": 1 - 0.6 / i,
            "learning_rate": 0.1 / i,
            "seconds": 1.5,
            "pictures_per_second": 1000.0 + i,
        }
        for i in range(1, EPOCHS + 1)
    ]
    (folder / "history.json").write_text(json.dumps(history))
    (folder / "model_summary.txt").write_text("│ dense │\n Total params: 12,345 (48 KB)\n")
    (folder / "model_size.json").write_text('{"parameters": 12345}')
    (folder / "augmentation.png").write_bytes(png(np.zeros((64, 128, 3), np.uint8)))
    return {"model_run": str(folder)}


def _predictions(folder: Path, names: Sequence[str], labels: np.ndarray, predicted: np.ndarray) -> str:
    folder.mkdir()
    probabilities = np.full((len(labels), len(names)), 0.3 / len(names), np.float32)
    probabilities[np.arange(len(labels)), predicted] += 0.7
    sources = [f"{f.TEST}/{names[label]}/{i % EACH[f.TEST]}.png" for i, label in enumerate(labels)]
    columns = {
        f.SOURCE: np.array(sources),
        f.CLASS_NAME: np.array([names[label] for label in labels]),
        f.LABEL: labels,
        f.CLASS_INDEX: predicted,
        f.PROBABILITIES: probabilities,
    }
    half = len(labels) // 2
    np.savez_compressed(folder / "predictions-00000.npz", **{key: value[:half] for key, value in columns.items()})
    np.savez_compressed(folder / "predictions-00001.npz", **{key: value[half:] for key, value in columns.items()})
    return str(folder)


def _evaluation(
    names: Sequence[str], labels: np.ndarray, predicted: np.ndarray, baseline: dict[str, float] | None
) -> Evaluation:
    matrix = np.zeros((len(names), len(names)), int)
    np.add.at(matrix, (labels, predicted), 1)
    classes = []
    for i, name in enumerate(names):
        hits, own, said = (int(n) for n in (matrix[i, i], matrix[i].sum(), matrix[:, i].sum()))
        classes.append(
            ClassResult(
                name=name,
                pictures=own,
                predicted=said,
                recall=proportion(hits, own, 0.95),
                precision=proportion(hits, said, 0.95) if said else None,
                f1=f1_score(hits, own, said, 0.95),
            )
        )
    right = int((labels == predicted).sum())
    return Evaluation(
        pictures=len(labels),
        confidence=0.95,
        metrics={
            "accuracy": proportion(right, len(labels), 0.95),
            "top_2_accuracy": proportion(len(labels), len(labels), 0.95),
            "cross_entropy": mean(0.9, 0.05, 0.95),
            "expected_calibration_error": 0.0625,
        },
        classes=classes,
        slices=[
            SliceResult("brightness", "0.4 to 0.5", 1, proportion(0, 1, 0.95)),
            SliceResult("brightness", "0.5 to 0.6", len(labels) - 1, proportion(right, len(labels) - 1, 0.95)),
            SliceResult("size", "16 to 31 pixels", len(labels), proportion(right, len(labels), 0.95)),
        ],
        confusion_matrix=matrix.tolist(),
        unanswered=0,
        calibration=[
            CalibrationBin(0.7, 0.8, len(labels), 0.73, right / len(labels)),
            CalibrationBin(0, 1, 0, None, None),
        ],
        baseline=baseline,
    )
