"""Small data sets of every kind, and a way to run ImageExampleGen's real executor on them."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.contracts import features as f
from components.contracts.counts import COUNTS_FILE
from components.contracts.rejects import REJECTED_FILE
from components.example_gen import sources
from components.example_gen.config import Data
from components.example_gen.formats.base import USUAL, Features, Source
from tests.datasets import digit_images, png
from tests.factories import beam_executor

SHARES = {f.TRAIN: 0.8, f.VALIDATION: 0.1, f.TEST: 0.1}
CIFAR_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def pixels_of(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def images_of(classes: Mapping[str, int], prefix: str = "") -> dict[str, bytes]:
    """Return {path: PNG}: so many different images of each class, in folders."""
    result, seed = {}, sum(map(ord, prefix)) * 1000
    for name, count in classes.items():
        for i in range(count):
            result[f"{prefix}{name}/{i}.png"] = png(pixels_of(seed := seed + 1))
    return result


def digit_files(count: int) -> dict[str, bytes]:
    """Return {path: PNG} of real digits, a folder a class."""
    pixels, labels = digit_images()
    return {f"{labels[i]}/{i}.png": png(pixels[i]) for i in range(count)}


def folder(root: Path, content: Mapping[str, bytes | None]) -> Path:
    """Write {path: bytes}; None is an empty folder."""
    for name, raw in content.items():
        path = root / name
        (path if raw is None else path.parent).mkdir(parents=True, exist_ok=True)
        if raw is not None:
            path.write_bytes(raw)
    return root


def tar(path: Path, content: Mapping[str, bytes | None], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, raw in content.items():
            info = tarfile.TarInfo(name)
            if raw is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(raw)
                archive.addfile(info, io.BytesIO(raw))
    return path


def zip_bytes(content: Mapping[str, bytes | None]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, member in content.items():
            archive.writestr(name, member or b"")
    return raw.getvalue()


def zipped(path: Path, content: Mapping[str, bytes | None], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, raw in content.items():
            archive.writestr(name + ("/" if raw is None else ""), raw or b"")
    return path


class Cifar(NamedTuple):
    """Rows of a data set in CIFAR-10's layout: uint8 [N, 3072], and labels."""

    data: np.ndarray
    labels: list[int]


def cifar_rows(seed: int, count: int) -> Cifar:
    rng = np.random.default_rng(seed)
    return Cifar(rng.integers(0, 256, (count, 3072), dtype=np.uint8), [i % 10 for i in range(count)])


def cifar_python(path: Path, batches: Mapping[str, Cifar], mode: str = "w:gz", protocol: int = 2) -> Path:
    members: dict[str, bytes | None] = {
        f"cifar-10-batches-py/{name}": pickle.dumps(
            {
                b"batch_label": name.encode(),
                b"labels": rows.labels,
                b"data": rows.data,
                b"filenames": [b"%d.png" % i for i in range(len(rows.labels))],
            },
            protocol,
        )
        for name, rows in batches.items()
    }
    meta = {b"num_cases_per_batch": 10, b"label_names": [name.encode() for name in CIFAR_NAMES], b"num_vis": 3072}
    members["cifar-10-batches-py/batches.meta"] = pickle.dumps(meta, protocol)
    return tar(path, members, mode)


def cifar_binary(path: Path, batches: Mapping[str, Cifar], mode: str = "w:gz") -> Path:
    members: dict[str, bytes | None] = {
        "cifar-10-batches-bin/batches.meta.txt": ("\n".join(CIFAR_NAMES) + "\n\n").encode()
    }
    for name, rows in batches.items():
        labels = np.array(rows.labels, np.uint8)[:, None]
        members[f"cifar-10-batches-bin/{name}.bin"] = np.concatenate([labels, rows.data], axis=1).tobytes()
    return tar(path, members, mode)


def tfrecords(path: Path, examples: Iterable[Mapping[str, Any]], compression: str = "") -> Path:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for values in examples:
            example = tf.train.Example()
            for name, value in values.items():
                feature = example.features.feature[name]
                (feature.int64_list if isinstance(value, int) else feature.bytes_list).value.append(value)
            writer.write(example.SerializeToString())
    return path


def parquet(path: Path, columns: Mapping[str, Any], class_names: Sequence[str] = (), **options: Any) -> Path:
    """Write columns, lists or arrays of Arrow; `class_names` as Hugging Face stores them for the column `label`."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(columns)
    if class_names:
        info = {"info": {"features": {"label": {"names": list(class_names), "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    parquet.write_table(table, path, **options)
    return path


class Outcome(NamedTuple):
    uri: Path
    splits: dict[str, list[dict[str, Any]]]  # the examples' values, in the files' order
    counts: dict[str, Any]
    rejected: list[dict[str, Any]]

    @property
    def all(self) -> list[dict[str, Any]]:
        return [example for split in f.SPLITS for example in self.splits[split]]

    def reasons(self) -> dict[str, str]:
        return {line["source"]: line["reason"] for line in self.rejected}


def run(
    source: str | Path | Source,
    out: Path,
    max_bytes: int = 10**6,
    max_pixels: int = 10**6,
    max_side: int | None = 1024,
    cache: str = "/nonexistent",
    features: Features = USUAL,
    drop: Sequence[str] = (),
) -> Outcome:
    """Run ImageExampleGen's executor on Beam's FnApiRunner, with the component's own execution properties."""
    from tfx.types import artifact_utils, standard_artifacts

    from components.example_gen.component import ImageExampleGen
    from components.example_gen.executor import Executor

    if not isinstance(source, Source):
        source = sources.locate(str(source), cache)
    limits = {"max_bytes": max_bytes, "max_pixels": max_pixels, "max_side": max_side}
    data = Data(**limits, splits=SHARES, features=features._asdict())
    component = ImageExampleGen(source, data, drop)
    examples = standard_artifacts.Examples()
    examples.uri = str(out)
    out.mkdir(parents=True)
    executor = beam_executor(Executor, out.parent / "tmp")
    executor.Do({}, {"examples": [examples]}, {**component.spec.exec_properties, "code_fingerprint": "x"})
    assert artifact_utils.decode_split_names(examples.split_names) == list(f.SPLITS)
    assert not [path for path in (out.parent / "tmp").rglob("*") if path.is_file()]
    return read(out)


def read(uri: Path) -> Outcome:
    import tensorflow as tf

    splits: dict[str, list[dict[str, Any]]] = {}
    for split in f.SPLITS:
        paths = sorted(str(path) for path in (uri / f"Split-{split}").iterdir())
        splits[split] = []
        for raw in tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(raw).features.feature
            splits[split].append({name: _value(feature) for name, feature in features.items()})
    lines = (uri / REJECTED_FILE).read_text(encoding="utf-8").splitlines()
    return Outcome(
        uri, splits, json.loads((uri / COUNTS_FILE).read_text(encoding="utf-8")), [json.loads(x) for x in lines]
    )


def _value(feature: Any) -> Any:
    (value,) = getattr(feature, feature.WhichOneof("kind")).value
    return value


def without_source(examples: Iterable[Mapping[str, Any]]) -> list[list[tuple[str, Any]]]:
    return sorted(sorted((k, v) for k, v in example.items() if k != f.SOURCE) for example in examples)
