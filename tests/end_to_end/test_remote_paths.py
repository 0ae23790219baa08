"""Paths with a scheme, as gs:// is one: the data, the schema, what the stages put out and where models are served."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import UserError
from pipeline import config as configs
from pipeline import curated_schema, stages
from pipeline.cli import board, card, compare, schema
from pipeline.prediction import served
from pipeline.runs import run_dir
from pipeline.tracking import metadata
from tests.datasets import write_folder
from tests.end_to_end import fakes  # noqa: F401  (Beam knows its file system then)
from tests.runs import executed, run


@pytest.mark.slow
def test_the_whole_chain_reads_writes_and_serves_remote_paths(tmp_path: Path) -> None:
    there, runs = f"file://{tmp_path}", tmp_path / "runs"
    write_folder(tmp_path / "pictures")
    paths = (f"{there}/pictures", f"artifacts_dir={there}/artifacts", f"serving.dir={there}/serving")
    told = ("tuner.trials=1", "tuner.space={learning_rate: [0.05, 0.06]}")
    result = run(runs, *paths, *told)
    assert result.exit_code == 0, result.why
    assert result.counts == {"train": 159, "validation": 21, "test": 90, "rejected": 0}
    assert result.artifacts == f"{there}/artifacts/pictures"
    assert len(result.trials) == 1
    assert result.pushed == {"version": "1", "path": f"{there}/serving/pictures/1"}
    again = run(runs, *paths, *told)
    assert (again.exit_code, executed(again)) == (0, [])

    # The model is the baseline of the next, and its weights are those that the next training begins with.
    more = run(runs, *paths, "warm_start=true", "evaluator.max_drop=1")
    assert more.exit_code == 0, more.why
    assert more.pushed == {"version": "2", "path": f"{there}/serving/pictures/2"}
    assert "McNemar" in Path(more.report or "none").read_text(), "the recorded answers of both models were read"

    config = configs.load(None, None, (f"run_dir={runs}", f"data.source={paths[0]}", *paths[1:]))[0]
    assert served.find(config, "pictures").path == more.pushed["path"]
    assert compare.command(config, Namespace(runs=[result.run_id, more.run_id], json=True, html=None, open=False)) == 0
    assert card.command(config, Namespace(version=None, open=False)) == 0
    assert schema.command(config, Namespace(output=str(tmp_path / "schema.pbtxt"), force=False)) == 0
    with pytest.raises(UserError, match=r"`tensorboard --logdir file:///.*/pictures/Trainer/model_run` shows"):
        board.command(config, Namespace(port=None))
    assert not (runs / "artifacts").exists()
    assert "file:" not in os.listdir(), "nobody took the scheme for a folder"


def test_a_schema_may_be_remote() -> None:
    path = f"file://{curated_schema.SHIPPED}/digits/schema.pbtxt"
    assert stages.read_schema(configs.load("digits", None, (f"schema_file={path}",))[0]) == path
    with pytest.raises(UserError, match=r"cannot read the schema file:///.*none"):
        stages.read_schema(configs.load("digits", None, (f"schema_file={path}.none",))[0])


def test_a_model_that_was_pushed_to_a_remote_folder_is_found_there(tmp_path: Path) -> None:
    settings = (f"run_dir={tmp_path}", f"serving.dir=file://{tmp_path}/serving/")
    config = configs.load("digits", None, settings)[0]
    target = f"{run_dir.serving(config)}/1"
    assert target == f"file://{tmp_path}/serving/digits/1"
    store = metadata.open_store(config)
    kind = store.put_artifact_type(pb.ArtifactType(name="PushedModel"))
    pushed = pb.Artifact(type_id=kind, uri="any", state=pb.Artifact.LIVE)
    pushed.custom_properties["pushed"].int_value = 1
    pushed.custom_properties["pushed_version"].string_value = "1"
    pushed.custom_properties["pushed_destination"].string_value = target
    pusher = store.put_execution_type(pb.ExecutionType(name="Pusher"))
    run_type = store.put_context_type(pb.ContextType(name="pipeline_run"))
    execution = pb.Execution(type_id=pusher, last_known_state=pb.Execution.COMPLETE)
    events = [(pushed, metadata.new_event(pb.Event.OUTPUT, "pushed_model"))]
    store.put_execution(execution, events, [pb.Context(type_id=run_type, name="run")])
    with pytest.raises(UserError, match="no pushed model"):
        served.find(config, None)
    tf.io.gfile.makedirs(target)
    (tmp_path / "serving" / "digits" / "1" / "saved_model.pb").touch()  # complete; find loads none
    assert served.find(config, "digits").path == target
