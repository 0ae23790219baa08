"""Faults of the disk and of the database are one line that says what to do, whatever library met them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from components.contracts.run_result import ExitCode
from components.errors import UserError
from pipeline import cli
from pipeline.config import Config, load
from pipeline.runs import faults, run_dir
from pipeline.runs.result import RunState, collect_result
from tests.pipeline.runs.factories import add

# As TensorFlow, SQLite by ml-metadata, and Beam, which makes a text of all, tell it.
FULL = (
    "/x/artifacts/digits/spool/unit-00000; No space left on device",
    "Error when executing query: database or disk is full query:  UPDATE `Execution`  SET `type_id` = 13 WHERE id = 1;",
    "Traceback (most recent call last):\n  File\nOSError: [Errno 122] Disk quota exceeded [while running 'Read']",
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = load("digits", None, (f"run_dir={tmp_path / 'out'}",))[0]
    run_dir.create(config)
    return config


def outcome(config: Config, error: BaseException) -> RunState:
    return RunState("run", Path(config.run_dir, "log"), failed_stage="Transform", error=error)


@pytest.mark.parametrize("text", FULL)
def test_a_full_disk(text: str, config: Config) -> None:
    add(config, "run", "ExampleGen", 3)
    result = collect_result(config, outcome(config, RuntimeError(text)))
    (why,) = result.why
    assert result.exit_code == ExitCode.FAILED
    assert why.startswith("Transform failed: no space left on the file system of ")
    assert config.run_dir in why
    assert why.endswith("make room and run the same command to resume")


def test_a_full_disk_behind_another_error(config: Config) -> None:
    error = ValueError("while the failure was noted")
    error.__context__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y")
    assert "no space left" in str(faults.in_words(error, config))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/y"),
            "/x/y cannot be written or read: Permission denied; ",
        ),
        (RuntimeError("/x/y; Read-only file system"), "/x/y cannot be written or read: Read-only file system; "),
        (RuntimeError("query: attempt to write a readonly database"), "cannot be written or read: Readonly database; "),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "set TMPDIR"),
        (RuntimeError("database disk image is malformed"), "metadata.sqlite is damaged; put a copy of it back"),
    ],
)
def test_other_faults(error: Exception, message: str, config: Config) -> None:
    words = faults.in_words(error, config)
    assert words is not None
    assert message in words
    assert "\n" not in words


def test_the_programs_own_faults_are_told_as_they_are(config: Config) -> None:
    assert faults.in_words(ValueError("shapes do not match"), config) is None


def test_an_error_in_a_graph_is_told_by_its_reason() -> None:
    import tensorflow as tf

    @tf.function
    def cube(size: tf.Tensor) -> tf.Tensor:
        return tf.zeros([size, size, size])

    with pytest.raises(tf.errors.ResourceExhaustedError) as caught:
        cube(tf.constant(100_000))
    assert str(caught.value).startswith("Graph execution error:")
    assert faults.reason(caught.value).startswith("OOM when allocating tensor with shape[100000,100000,100000]")
    on_a_gpu = (  # two at once
        "Graph execution error:\n\nDetected at node Timestamp defined at (most recent call last):\n  File a.py\n\n"
        "2 root error(s) found.\n"
        "  (0) FAILED_PRECONDITION:  Timestamp cannot be called\n\t [[{{node Timestamp}}]]\n\t [[Timestamp_1/_43]]\n"
        "  (1) FAILED_PRECONDITION:  Timestamp cannot be called\n\t [[{{node Timestamp}}]]\n0 successful operations."
    )
    assert faults.reason(tf.errors.FailedPreconditionError(None, None, on_a_gpu)) == "Timestamp cannot be called"


@pytest.mark.parametrize(
    "text", ["shapes do not match\nmore", "Traceback (most recent call last):\n\nshapes do not match"]
)
def test_another_error_is_told_by_its_first_line_or_behind_a_traceback_by_its_last(text: str) -> None:
    assert faults.reason(ValueError(text)) == "shapes do not match"


def test_what_fails_at_the_end_does_not_hide_what_failed_before(config: Config) -> None:
    Path(config.run_dir, run_dir.SQLITE_FILE).write_bytes(b"no database" * 1000)
    result = collect_result(config, outcome(config, UserError("the source is gone")))
    assert (result.exit_code, result.why) == (ExitCode.USAGE_ERROR, ["the source is gone"])


@pytest.mark.parametrize("command", [["run"], ["runs"], ["lineage"], ["doctor"]])
def test_a_damaged_database_is_one_line(command: list[str], config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    add(config, "run", "ExampleGen", 3)
    Path(config.run_dir, run_dir.SQLITE_FILE).write_bytes(b"no database" * 1000)
    assert cli.main([*command, "--run-dir", config.run_dir]) == 1
    captured = capsys.readouterr()
    message = captured.out if command == ["doctor"] else captured.err
    line = next(line for line in message.splitlines() if "is damaged" in line)
    assert "metadata.sqlite is damaged; put a copy of it back, or move it and" in line
    assert "query" not in line


def test_an_error_in_a_layer_or_a_traced_function_is_told_by_its_reason() -> None:
    import keras
    import tensorflow as tf

    @tf.function
    def step(images: tf.Tensor) -> tf.Tensor:
        return tf.matmul(images, tf.zeros([3, 2]))

    with pytest.raises(ValueError, match=r"^in user code:\n") as traced:
        step(tf.zeros([1, 4]))
    assert faults.reason(traced.value).startswith("ValueError: Dimensions must be equal, but are 4 and 3 for")

    class Layer(keras.layers.Layer):
        def call(self, inputs: tf.Tensor) -> tf.Tensor:
            return tf.matmul(inputs, tf.zeros([3, 2]))

    with pytest.raises(Exception, match=r"^Exception encountered when calling Layer\.call") as called:
        Layer()(tf.zeros([1, 4]))
    assert faults.reason(called.value).startswith("Matrix size-incompatible: In[0]: [1,4], In[1]: [3,2]")
