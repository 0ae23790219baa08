"""The curated schemas, as TFX reads them. What they let pass and stop is in tests/data_gate/test_gate.py."""

from __future__ import annotations

import io
import itertools
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.utils import io_utils

from components.contracts import features as f
from components.contracts.findings import FINDINGS_FILE
from pipeline import ROOT
from tests.data_gate.factories import Stages, edited, write
from tests.datasets import DIGITS, example

SCHEMAS = ROOT / "schema"
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PER_CLASS = 60  # images of each class in each split


@pytest.mark.parametrize(("name", "classes"), [("digits", DIGITS), ("cifar10", CIFAR10)])
def test_the_schema_describes_the_data_contract(name: str, classes: tuple[str, ...]) -> None:
    schema = io_utils.SchemaReader().read(str(SCHEMAS / name / "schema.pbtxt"))
    features = {feature.name: feature for feature in schema.feature}
    types = {
        schema_pb2.BYTES: {f.IMAGE, f.CLASS_NAME, f.SOURCE, f.PIXELS_SHA256},
        schema_pb2.INT: {f.LABEL, f.HEIGHT, f.WIDTH, f.CHANNELS, f.NUM_BYTES},
        schema_pb2.FLOAT: {f.BRIGHTNESS, f.CONTRAST, f.SHARPNESS, f.COLOURFULNESS},
    }
    assert {k: {n for n, feature in features.items() if feature.type == k} for k in types} == types
    assert all(feature.presence.min_fraction == 1 for feature in features.values())
    assert all([dim.size for dim in feature.shape.dim] == [1] for feature in features.values())
    assert tuple(schema.string_domain[0].value) == classes
    assert features[f.CLASS_NAME].domain == schema.string_domain[0].name
    assert (features[f.LABEL].int_domain.min, features[f.LABEL].int_domain.max) == (0, len(classes) - 1)
    compared = {n for n in features if features[n].HasField("skew_comparator")}
    assert compared == {n for n in features if features[n].HasField("drift_comparator")}
    assert compared == types[schema_pb2.FLOAT] | {f.CLASS_NAME}


@pytest.mark.cifar
@pytest.mark.slow
@pytest.mark.skipif("CIFAR10_JPEG" not in os.environ, reason="CIFAR10_JPEG is not set")
@pytest.mark.parametrize("as_found", [True, False], ids=["jpeg", "png"])
def test_real_cifar10_passes(tmp_path: Path, as_found: bool) -> None:
    train = list(cifar10(as_found))
    third = len(train) // 3
    data = dict(zip(f.SPLITS, (train[:third], train[third : 2 * third], train[2 * third :])))
    stages = Stages(tmp_path, write(tmp_path / "examples", data), SCHEMAS / "cifar10" / "schema.pbtxt")
    assert json.loads(Path(stages.gate().uri, FINDINGS_FILE).read_text()) == []


def cifar10(as_found: bool) -> Iterator[bytes]:
    """The first images of each class, class by class in turn; as the JPEG they are, or as PNG."""
    pictures: dict[str, list[bytes]] = {name: [] for name in CIFAR10}
    with tarfile.open(os.environ["CIFAR10_JPEG"]) as archive:
        for member in archive:
            name = Path(member.name).parent.name
            if member.isfile() and name in pictures and len(pictures[name]) < 3 * PER_CLASS:
                file = archive.extractfile(member)
                assert file is not None
                pictures[name].append(file.read())
    for i, (label, name) in itertools.product(range(3 * PER_CLASS), enumerate(CIFAR10)):
        encoded = pictures[name][i]
        record = example(np.asarray(Image.open(io.BytesIO(encoded))), label, name, f"{name}/{i}")
        yield edited(record, image=encoded, num_bytes=len(encoded)) if as_found else record
