"""Real CIFAR-10, all 60,000 images, through the whole chain: as a folder, as a tar and as the official archives."""

from __future__ import annotations

import functools
import io
import os
import pickle
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.contracts import features as f
from tests.runs import artifact, executed, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cifar,
    pytest.mark.skipif("CIFAR10_JPEG" not in os.environ, reason="CIFAR10_JPEG does not name cifar10-jpeg.tar.gz"),
]

COUNTS = {"train": 44_440, "validation": 5_560, "test": 10_000, "rejected": 0}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# One short epoch of a small network: what is tested is the chain, not the model.
SETTINGS = ("transform.size=32", "trainer.epochs=1", "trainer.width=8", "trainer.batch_size=256")
SETTINGS += (
    "trainer.learning_rate=0.1",
    "evaluator.min_accuracy=0.15",
    "evaluator.min_class_recall=0",
    "name=cifar10",
)


def images() -> Iterator[tuple[str, str, str, bytes]]:
    """(split, class, file name, JPEG) of every image."""
    with tarfile.open(os.environ["CIFAR10_JPEG"]) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".jpg"):
                split, name, leaf = member.name.split("/")[-3:]
                yield split, name, leaf, archive.extractfile(member).read()


def folder(work: Path) -> Path:
    for split, name, leaf, jpeg in images():
        path = work / "cifar10" / split / name / leaf
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)
    return work / "cifar10"


def tar(work: Path) -> Path:
    return Path(os.environ["CIFAR10_JPEG"])


@functools.cache
def decoded() -> dict[str, list[tuple[int, np.ndarray]]]:
    """Label and uint8 [3072], the red plane first, of every image of a split, in a mixed order."""
    rows: dict[str, list[tuple[int, np.ndarray]]] = {"train": [], "test": []}
    for split, name, _, jpeg in images():
        rgb = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
        rows[split].append((CLASSES.index(name), rgb.transpose(2, 0, 1).reshape(-1)))
    for split_rows in rows.values():
        np.random.default_rng(0).shuffle(split_rows)
    return rows


def batches(suffix: str) -> dict[str, list[tuple[int, np.ndarray]]]:
    rows = decoded()
    fifth = len(rows["train"]) // 5
    named = {f"data_batch_{i + 1}{suffix}": rows["train"][i * fifth : (i + 1) * fifth] for i in range(5)}
    return {**named, f"test_batch{suffix}": rows["test"]}


def write_archive(path: Path, top: str, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def python_archive(work: Path) -> Path:
    """As cifar-10-python.tar.gz: pickles of protocol 2."""
    files = {
        name: pickle.dumps(
            {b"labels": [label for label, _ in rows], b"data": np.stack([row for _, row in rows])}, protocol=2
        )
        for name, rows in batches("").items()
    }
    files["batches.meta"] = pickle.dumps(
        {b"label_names": [name.encode() for name in CLASSES], b"num_vis": 3072}, protocol=2
    )
    return write_archive(work / "cifar-10-python.tar.gz", "cifar-10-batches-py", files)


def binary_archive(work: Path) -> Path:
    """As cifar-10-binary.tar.gz: a byte for the label, then 3,072 for the pixels."""
    files = {
        name: b"".join(bytes([label]) + row.tobytes() for label, row in rows) for name, rows in batches(".bin").items()
    }
    files["batches.meta.txt"] = ("\n".join(CLASSES) + "\n\n").encode()
    return write_archive(work / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", files)


def examples(run_dir: Path) -> Counter[tuple[str, ...]]:
    """(split, class, hash of the pixels) of every example."""
    import tensorflow as tf

    root = Path(artifact(run_dir, "ExampleGen", "examples").uri)
    found: Counter[tuple[str, ...]] = Counter()
    for split in f.SPLITS:
        files = sorted(map(str, (root / f"Split-{split}").iterdir()))
        for raw in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
            feature = tf.train.Example.FromString(raw).features.feature
            name, pixels = (feature[key].bytes_list.value[0].decode() for key in (f.CLASS_NAME, f.PIXELS_SHA256))
            found[split, name, pixels] += 1
    return found


@pytest.mark.parametrize(
    ("make", "other"),
    [(tar, folder), (binary_archive, python_archive)],
    ids=lambda value: value.__name__,
)
def test_all_of_cifar10_ends_in_a_pushed_model_and_its_other_form_gives_the_same_examples(
    make: Callable[[Path], Path], other: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Files of JPEG, and pixels as they are; no stage but ExampleGen sees in which form they came."""
    result = run(tmp_path / "runs", make(tmp_path), *SETTINGS)
    assert result.exit_code == 0, result.why
    assert result.counts == COUNTS
    assert "Trainer" in executed(result)
    read = run(tmp_path / "other", other(tmp_path), *SETTINGS, last="ExampleGen")
    assert (read.exit_code, read.counts) == (0, COUNTS), read.why
    assert examples(tmp_path / "other") == examples(tmp_path / "runs")
