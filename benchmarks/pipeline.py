"""Seconds, CPU seconds and peak memory per stage on CIFAR-10 (60,000 images), compared with the plain TFX pipeline.

usage: CIFAR10_JPEG=cifar10-jpeg.tar.gz python -m benchmarks.pipeline [--per-class N] [--epochs N]

Both pipelines run in this one command, one after the other, each in a process of its own, imports counted; the same
TFRecords, the same training. The aim: all but training in at most a third of the plain pipeline's CPU seconds, and at
most 2 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any, cast

from benchmarks import common


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", type=int, default=0, help="training images a class; 0 takes all 5,000")
    parser.add_argument("--epochs", type=int, default=1, help="of the training, which is not compared")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, work, report = args.child
        return _child(kind, Path(work), Path(report), args.epochs)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        unpack(common.archive(), work / "pictures", args.per_class)
        _write_records(work / "pictures", work / "records")
        rows = {}
        for kind in ("plain", "ours"):
            report = work / f"{kind}.json"
            child = ["--epochs", str(args.epochs), "--child", kind, str(work), str(report)]
            with (work / f"{kind}.log").open("w") as log:
                process = subprocess.run([sys.executable, "-m", "benchmarks.pipeline", *child], stdout=log, stderr=log)
            if process.returncode:
                sys.exit(f"{kind} failed:\n{(work / f'{kind}.log').read_text()[-3000:]}")
            rows[kind] = json.loads(report.read_text())
        _show(rows)


def unpack(archive: str, into: Path, per_class: int) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            split, name, leaf = [*member.name.split("/")[-3:], "", ""][:3]
            limit = per_class if split == "train" else max(per_class // 5, 1)
            if member.isfile() and (not per_class or int(leaf.split(".")[0]) < limit):
                path = into / split / name / leaf
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(cast(IO[bytes], tar.extractfile(member)).read())  # of a file


def _write_records(images: Path, into: Path) -> None:
    """Write what both pipelines read: train.tfrecord and test.tfrecord, `image` and `label`. Not counted."""
    import random

    from pipeline.output import redirect_output

    with redirect_output(os.devnull):
        import tensorflow as tf

    into.mkdir()
    for split in ("train", "test"):
        files = sorted((images / split).rglob("*.jpg"))
        classes = sorted({file.parent.name for file in files})
        random.Random(0).shuffle(files)
        with tf.io.TFRecordWriter(str(into / f"{split}.tfrecord")) as writer:
            for file in files:
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[file.read_bytes()]))
                label = tf.train.Feature(int64_list=tf.train.Int64List(value=[classes.index(file.parent.name)]))
                features = tf.train.Features(feature={"image": image, "label": label})
                writer.write(tf.train.Example(features=features).SerializeToString())


def _child(kind: str, work: Path, report: Path, epochs: int) -> None:
    from pipeline import config as configs

    settings = [f"data.source={work / 'records'}", f"run_dir={work / 'ours'}", f"trainer.epochs={epochs}"]
    # Its classes are numbers, so that the curated schema of cifar10 is not the one.
    settings += ["name=records", "evaluator.min_accuracy=0", "evaluator.min_class_recall=0"]
    # A small network: what is compared is the pipeline around it.
    settings += ["trainer.width=32", "trainer.test_time_views=1"]
    config, _ = configs.load("cifar10-fast", None, tuple(settings))
    if kind == "ours":
        from pipeline.platforms.local import runner

        result = runner.run(config, None, None, sys.stdout)
        if result.exit_code:
            sys.exit(f"not pushed: {result.to_json()}")
        stages = result.stages
    else:
        stages = _run_plain(config, work)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    report.write_text(json.dumps({"stages": stages, "cpu_seconds": cpu}))


def _run_plain(config: Any, work: Path) -> dict[str, Any]:
    from tfx.dsl.compiler import compiler

    from benchmarks.plain_pipeline import create_pipeline
    from pipeline.platforms.local import dag_runner

    stages: dict[str, Any] = {}

    class Observer:
        def warned(self, text: str) -> None: ...

        def started(self, stage: str) -> None: ...

        def ended(self, stage: str, report: dag_runner.StageReport, error: BaseException | None) -> None:
            stages[stage] = report.to_json()

    dag_runner.EXECUTOR_OPERATORS.clear()  # TFX's own
    (work / "plain").mkdir()
    training = {**config.trainer.model_dump(), "seed": config.seed}
    pipeline = create_pipeline(work / "records", work / "plain", config.transform.size, training)
    dag_runner.run(compiler.Compiler().compile(pipeline), None, Observer())
    return stages


def _show(rows: dict[str, Any]) -> None:
    names = {"ImportExampleGen": "ExampleGen"}
    plain = {names.get(name, name): stage for name, stage in rows["plain"]["stages"].items()}
    ours = rows["ours"]["stages"]
    print(f"{'':<18}{'plain TFX':^33}{'this pipeline':^33}")
    print(f"{'stage':<18}" + f"{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'':>6}" * 2)
    for name in ours:
        cells = ""
        for stage in (plain.get(name), ours[name]):
            if stage is None:
                cells += f"{'-':>9}{'-':>9}{'-':>9}{'':>6}"
            else:
                cells += f"{stage['seconds']:>9.1f}{stage['cpu_seconds']:>9.1f}{stage['peak_bytes'] / 1e6:>9.0f}{'':>6}"
        print(f"{name:<18}{cells}".rstrip())
    totals = {}
    sides = (("plain", plain), ("ours", ours))
    for kind, stages in sides:
        totals[kind] = rows[kind]["cpu_seconds"] - stages["Trainer"]["cpu_seconds"]
    print(f"\nall but training, imports counted: {totals['plain']:.1f} CPU s plain, {totals['ours']:.1f} CPU s here")
    added = sum(stage["cpu_seconds"] for name, stage in ours.items() if name not in plain)
    print(f"ratio {totals['ours'] / totals['plain']:.2f} (the bar: 0.33)")
    print(f"without the stages that the plain pipeline does not have: {(totals['ours'] - added) / totals['plain']:.2f}")
    peaks = {kind: max(stage["peak_bytes"] for stage in stages.values()) / 1e9 for kind, stages in sides}
    print(f"peak memory, training included: {peaks['plain']:.2f} GB plain, {peaks['ours']:.2f} GB here")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
