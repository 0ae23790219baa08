"""Paths with a scheme, as gs:// is one: the data, the schema, what the stages put out and where models are served."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import UserError
from pipeline import config as configs
from pipeline import metadata, predict, run_dir, stages
from tests.end_to_end import remote
from tests.end_to_end.support import executed, run, write_folder


@pytest.mark.slow
def test_the_data_and_the_artifacts_may_be_remote(tmp_path: Path) -> None:
    """Up to DataGate: Transform renames a folder with files in it, which TensorFlow's ram:// cannot do."""
    data = remote.upload(write_folder(tmp_path / "pictures"), f"ram://{tmp_path.name}/pictures")
    settings = (f"artifacts_dir=ram://{tmp_path.name}/artifacts",)
    result = run(tmp_path / "runs", data, *settings, last="DataGate")
    assert result.exit_code == 0, result.why
    assert result.counts is not None
    assert result.counts["train"] + result.counts["validation"] == 180  # what was given as train
    assert (result.counts["test"], result.counts["rejected"]) == (90, 0)
    assert result.artifacts == f"ram://{tmp_path.name}/artifacts/pictures"
    assert tf.io.gfile.exists(f"{result.artifacts}/DataGate")
    assert not (tmp_path / "runs" / "artifacts").exists()
    assert "://" not in "".join(str(path) for path in Path.cwd().iterdir())  # nobody took the scheme for a folder
    again = run(tmp_path / "runs", data, *settings, last="DataGate")
    assert (again.exit_code, executed(again)) == (0, [])


def test_a_schema_may_be_remote(tmp_path: Path) -> None:
    path = remote.upload(stages.SCHEMAS / "digits", f"ram://{tmp_path.name}/schema") + "/schema.pbtxt"
    assert stages.schema_file(configs.load("digits", None, (f"schema_file={path}",))[0]) == path
    with pytest.raises(UserError, match=r"cannot read the schema ram://.*none"):
        stages.schema_file(configs.load("digits", None, (f"schema_file={path}.none",))[0])


def test_a_model_that_was_pushed_to_a_remote_folder_is_found_there(tmp_path: Path) -> None:
    settings = (f"run_dir={tmp_path}", f"serving.dir=ram://{tmp_path.name}/serving/")
    config = configs.load("digits", None, settings)[0]
    target = f"{run_dir.serving(config)}/1"
    assert target == f"ram://{tmp_path.name}/serving/digits/1"
    store = metadata.open_store(config)
    kind = store.put_artifact_type(pb.ArtifactType(name="PushedModel"))
    pushed = pb.Artifact(type_id=kind, uri="any")
    pushed.custom_properties["pushed_destination"].string_value = target
    store.put_artifacts([pushed])
    with pytest.raises(UserError, match="no pushed model"):
        predict.latest_pushed(config, None)
    tf.io.gfile.makedirs(target)
    assert predict.latest_pushed(config, "digits") == target
