"""ImageExampleGen within TFX: fingerprints, caching, spans, and the stock components that read its output."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import settings, sources
from components.example_gen.config import Data, Features
from components.example_gen.driver import fingerprint
from tests.example_gen import datasets
from tests.factories import BEAM_ARGS

TWO = datasets.images_of({"cat": 12, "dog": 12})


def test_settings_survive_the_crossing() -> None:
    from google.protobuf import json_format

    drop = ("leaks", "conflicts")
    values = settings.Settings("cifar10", datasets.SHARES, 20_000_000, 50_000_000, drop=drop, max_side=1024)
    packed = json_format.MessageToJson(settings.pack(values))
    assert settings.unpack(packed) == values
    fields = json.loads(packed)
    del fields["customConfig"]["value"]["drop"], fields["customConfig"]["value"]["max_side"]
    earlier = values._replace(drop=(), max_side=None)
    assert settings.unpack(json.dumps(fields)) == earlier, "as specs of earlier versions have it"
    assert settings.unpack(json_format.MessageToJson(settings.pack(earlier))) == earlier
    assert '"kind": "cifar10"' in packed, "as specs of Vertex AI have it that were compiled before"


def test_fingerprint_is_the_same_wherever_the_data_is(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", TWO)
    assert fingerprint(f"file://{root}") == fingerprint(str(root))


def test_fingerprint_is_of_content(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", TWO)
    path = root / "cat" / "3.png"
    before, status = fingerprint(str(root)), path.stat()
    os.utime(path)
    (root / ".DS_Store").write_bytes(b"litter")
    assert fingerprint(str(root)) == before
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)  # the same size, and the same time
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    edited = fingerprint(str(root))
    assert edited != before
    path.rename(root / "cat" / "33.png")
    assert fingerprint(str(root)) not in (before, edited)
    (root / "cat" / "33.png").unlink()
    fewer = fingerprint(str(root))
    (root / "dog" / "gone.png").symlink_to("nowhere")
    assert fingerprint(str(root)) not in (before, edited, fewer)
    moved = root.rename(tmp_path / "moved")
    (moved / "dog" / "gone.png").unlink()
    assert fingerprint(str(moved)) == fewer


def test_fingerprint_of_a_large_file_reaches_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(3_000_000))
    before = fingerprint(str(path))
    path.write_bytes(bytes(2_999_999) + b"x")
    assert fingerprint(str(path)) != before
    path.unlink()
    with pytest.raises(UserError, match=r"a\.tar: no files there"):
        fingerprint(str(path))


def pipeline(
    tmp_path: Path,
    source: sources.Source,
    max_bytes: int = 10**6,
    more: bool = False,
    features: Features = Features(),  # noqa: B008 (frozen)
    drop: tuple[str, ...] = (),
) -> Any:
    from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
    from tfx.orchestration import metadata
    from tfx.orchestration import pipeline as tfx_pipeline

    from components.example_gen.component import ImageExampleGen

    examples = ImageExampleGen(source, Data(max_bytes=max_bytes, max_pixels=10**6, features=features), drop)
    components: list[Any] = [examples]
    if more:
        statistics = StatisticsGen(examples=examples.outputs["examples"])
        schema = SchemaGen(statistics=statistics.outputs["statistics"])
        validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
        components += [statistics, schema, validator]
    return tfx_pipeline.Pipeline(
        "test",
        str(tmp_path / "root"),
        components=components,
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db")),
        beam_pipeline_args=BEAM_ARGS,
    )


def run(tmp_path: Path, source: sources.Source, **options: Any) -> list[Any]:
    """Run the pipeline; return the last known state of every execution of ImageExampleGen so far."""
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2 as mlmd
    from tfx.orchestration.local import local_dag_runner

    local_dag_runner.LocalDagRunner().run(pipeline(tmp_path, source, **options))
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.db")
    store = MetadataStore(config)
    executions = store.get_executions_by_type("components.example_gen.component.ImageExampleGen")
    return [mlmd.Execution.State.Name(execution.last_known_state) for execution in executions]


@pytest.mark.slow
def test_caching_can_be_trusted(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", TWO)
    source = sources.locate(str(root), "")
    assert run(tmp_path, source) == ["COMPLETE"]
    assert run(tmp_path, source) == ["COMPLETE", "CACHED"]
    path = root / "cat" / "3.png"
    os.utime(path, (time.time() + 100, time.time() + 100))
    assert run(tmp_path, source)[2:] == ["CACHED"]
    status, raw = path.stat(), bytearray(path.read_bytes())
    raw[40] ^= 1  # breaks the image, whose size and time stay
    path.write_bytes(raw)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run(tmp_path, source)[3:] == ["COMPLETE"]
    assert run(tmp_path, source, max_bytes=10**5)[4:] == ["COMPLETE"]  # a setting
    assert run(tmp_path, source)[5:] == ["CACHED"]
    assert run(tmp_path, source, drop=("leaks",))[6:] == ["COMPLETE"]
    assert run(tmp_path, source, drop=("leaks",))[7:] == ["CACHED"]


@pytest.mark.slow
def test_an_edited_image_that_a_table_names_is_read_again(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", TWO)
    lines = [f"pets/{name},{name.split('/')[0]}\n" for name in TWO]
    (tmp_path / "pets.csv").write_text("photo,label\n" + "".join(lines))
    source = sources.locate(str(tmp_path / "pets.csv"), "")
    features = Features(image="photo")
    assert run(tmp_path, source, features=features) == ["COMPLETE"]
    (root / "cat" / "3.png").write_bytes(datasets.images_of({"emu": 1}, "x/")["x/emu/0.png"])
    assert run(tmp_path, source, features=features) == ["COMPLETE", "COMPLETE"]
    assert run(tmp_path, source, features=features)[2:] == ["CACHED"]


@pytest.mark.slow
def test_spans_and_versions(tmp_path: Path) -> None:
    base = tmp_path / "pets"
    datasets.folder(base / "span-7" / "v-1", datasets.images_of({"cat": 4, "dog": 4}))
    datasets.folder(base / "span-7" / "v-2", datasets.images_of({"cat": 5, "dog": 5}))
    source = sources.locate(str(base / "span-{SPAN}" / "v-{VERSION}"), "")
    run(tmp_path, source)
    datasets.folder(base / "span-12" / "v-1", datasets.images_of({"cat": 6, "dog": 6}))
    assert run(tmp_path, source) == ["COMPLETE", "COMPLETE"]
    outcomes = [
        datasets.read(path)
        for path in sorted((tmp_path / "root").glob("ImageExampleGen/examples/*"), key=lambda p: int(p.name))
    ]
    assert [len(outcome.all) for outcome in outcomes] == [10, 12]
    (base / "span-x" / "v-1").mkdir(parents=True)
    with pytest.raises(UserError, match="no span found in the names there"):
        run(tmp_path, source)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tar", "tfrecords"])
def test_spans_of_other_kinds(tmp_path: Path, kind: str) -> None:
    if kind == "tar":
        (tmp_path / "pets").mkdir()
        datasets.tar(tmp_path / "pets" / "pets-3.tar", TWO)
        source = sources.locate(str(tmp_path / "pets" / "pets-{SPAN}.tar"), "")
    else:
        (tmp_path / "pets" / "3").mkdir(parents=True)
        rows = [{"image": raw, "label": name.split("/")[0].encode()} for name, raw in TWO.items()]
        datasets.tfrecords(tmp_path / "pets" / "3" / "pets.tfrecord", rows)
        source = sources.locate(str(tmp_path / "pets" / "{SPAN}"), "")
    assert run(tmp_path, source) == ["COMPLETE"]
    (path,) = (tmp_path / "root").glob("ImageExampleGen/examples/*")
    assert len(datasets.read(path).all) == 24


@pytest.mark.slow
def test_stock_components_read_it(tmp_path: Path) -> None:
    """StatisticsGen, SchemaGen and ExampleValidator find every feature once in every example of each split."""
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    run(tmp_path, sources.locate("digits", ""), more=True)
    (statistics,) = (tmp_path / "root").glob("StatisticsGen/statistics/*")
    for split, count in (("train", 1438), ("validation", 180), ("test", 179)):
        dataset = tfdv.load_stats_binary(str(statistics / f"Split-{split}" / "FeatureStats.pb")).datasets[0]
        assert dataset.num_examples == count
        assert len(dataset.features) == 13
        for feature in dataset.features:
            common = feature.num_stats.common_stats if feature.HasField("num_stats") else feature.WhichOneof("stats")
            common = common if not isinstance(common, str) else getattr(feature, common).common_stats
            assert (common.num_non_missing, common.min_num_values, common.max_num_values) == (count, 1, 1)
    (anomalies,) = (tmp_path / "root").glob("ExampleValidator/anomalies/*")
    for split in f.SPLITS:
        content = anomalies_pb2.Anomalies.FromString((anomalies / f"Split-{split}" / "SchemaDiff.pb").read_bytes())
        assert not content.anomaly_info


def test_tensorflow_parses_it(tmp_path: Path) -> None:
    """Its examples are two messages one behind the other: TensorFlow's own fast parser takes them for one."""
    import tensorflow as tf
    from tfx_bsl.public import tfxio

    outcome = datasets.run(datasets.folder(tmp_path / "pets", TWO), tmp_path / "out")
    (path,) = (str(path) for path in (outcome.uri / "Split-train").iterdir())
    records = list(tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator())
    spec = {f.LABEL: tf.io.FixedLenFeature([], tf.int64), f.IMAGE: tf.io.FixedLenFeature([], tf.string)}
    parsed = tf.io.parse_example(records, spec)
    assert parsed[f.LABEL].numpy().tolist() == [example[f.LABEL] for example in outcome.splits["train"]]
    assert parsed[f.IMAGE].numpy().tolist() == [example[f.IMAGE] for example in outcome.splits["train"]]
    for record in records:
        single = tf.io.parse_single_example(record, spec)
        assert tf.io.decode_image(single[f.IMAGE], channels=3).shape == (8, 8, 3)
    reader = tfxio.TFExampleRecord(file_pattern=path)
    batch = next(iter(reader.RecordBatches(tfxio.RecordBatchesOptions(batch_size=99, num_epochs=1))))
    assert batch.num_rows == len(records)
    assert batch.num_columns == 13
