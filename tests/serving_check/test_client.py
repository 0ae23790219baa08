"""The client against real SavedModels, sound and broken."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.contracts import features as f
from components.serving_check import client
from tests.datasets import DIGITS
from tests.evaluator.factories import digit_rows, write_rows
from tests.evaluator.fakes import digit_centroids, save_standin


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_standin(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data"), digit_rows())


def request(model: str, examples: Path, output: Path) -> client.Request:
    files = sorted(str(path) for path in (examples / f"Split-{f.TEST}").glob("*"))
    return client.Request(str(Path(model) / "Format-Serving"), files, str(output))


@pytest.mark.slow
def test_a_clean_process_needs_tensorflow_alone(model: str, examples: Path, tmp_path: Path) -> None:
    """Also: every image of the split is answered, in order, as the model answers it."""
    program = (
        "import sys; from components.serving_check import client; client.main();"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    text = json.dumps(vars(request(model, examples, tmp_path)))
    done = subprocess.run([sys.executable, "-c", program], input=text, text=True, capture_output=True, check=True)
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    assert "tensorflow" in loaded
    assert not {n for n in loaded if n.startswith(("tfx", "tensorflow_t", "tensorflow_m", "tensorflow_d"))}
    assert not loaded & {"apache_beam", "ml_metadata"}

    rows = digit_rows()
    answers = client.ClientReport(**json.loads((tmp_path / client.ANSWERS_FILE).read_text()))
    assert answers.problems == []
    assert answers.pictures == len(rows)
    assert answers.compared == client.SAMPLE  # of the first batch; the next ones when 512 images are answered
    (path,) = tmp_path.glob("predictions-*.npz")
    columns = dict(np.load(path))
    assert columns[f.SOURCE].tolist() == [f"{name}/{i}" for i, (_, _, name) in enumerate(rows)]
    assert columns[f.LABEL].tolist() == [label for _, label, _ in rows]
    assert columns[f.CLASS_NAME].tolist() == [name for _, _, name in rows]
    assert columns[f.PROBABILITIES].shape == (len(rows), 10)
    assert columns[f.PROBABILITIES].dtype == np.float32
    np.testing.assert_array_equal(columns[f.CLASS_INDEX], columns[f.PROBABILITIES].argmax(axis=1))
    counted = np.zeros((10, 10), int)
    np.add.at(counted, (columns[f.LABEL], columns[f.CLASS_INDEX]), 1)
    for name, row in answers.pairs.items():
        assert row == {DIGITS[i]: n for i, n in enumerate(counted[int(name)]) if n}


@pytest.mark.parametrize("signature", [f.SERVING_DEFAULT, f.SERVE_IMAGES, f.SERVE_TENSORS])
def test_a_signature_is_missing(signature: str, examples: Path, tmp_path: Path) -> None:
    broken = save_standin(tmp_path / "model", without=(signature,))
    assert client.check(request(broken, examples, tmp_path)).problems == [f"the model has no signature {signature!r}"]


def test_signatures_disagree(examples: Path, tmp_path: Path) -> None:
    broken = save_standin(tmp_path / "model", tensors_shift=1)
    answers = client.check(request(broken, examples, tmp_path))
    (problem,) = answers.problems
    assert problem.startswith("serve_tensors and serve_images differ by ")
    assert answers.pictures == len(digit_rows())  # answered all the same, for the report


def test_the_model_does_not_load(model: str, examples: Path, tmp_path: Path) -> None:
    (tmp_path / "Format-Serving").mkdir()
    (tmp_path / "Format-Serving" / "saved_model.pb").write_bytes(b"no model")
    (problem,) = client.check(request(str(tmp_path), examples, tmp_path)).problems
    assert problem.startswith("the model does not load: ")
    assert "\n" not in problem


def test_probabilities_are_no_numbers(examples: Path, tmp_path: Path) -> None:
    broken = save_standin(tmp_path / "model", centroids=digit_centroids() * np.nan)
    (problem,) = client.check(request(broken, examples, tmp_path)).problems
    assert problem == "serve_images returns probabilities that are not finite numbers"


def test_classes_are_in_another_order_than_in_the_data(examples: Path, tmp_path: Path) -> None:
    broken = save_standin(tmp_path / "model", DIGITS[::-1], digit_centroids()[::-1])
    (problem,) = client.check(request(broken, examples, tmp_path)).problems
    assert problem == "label 0 is '0' in the data, but '9' in the model"


def test_the_data_has_a_class_more(examples: Path, tmp_path: Path) -> None:
    broken = save_standin(tmp_path / "model", DIGITS[:9], digit_centroids()[:9])
    (problem,) = client.check(request(broken, examples, tmp_path)).problems
    assert problem == "label 9 is '9' in the data, but the model has 9 classes"


def test_the_split_is_empty(model: str, tmp_path: Path) -> None:
    empty = write_rows(tmp_path / "examples", [])
    assert client.check(request(model, empty, tmp_path)).problems == ["the split has no image to send to the model"]


def test_an_image_that_the_model_cannot_read(model: str, tmp_path: Path) -> None:
    import tensorflow as tf

    folder = tmp_path / "examples" / f"Split-{f.TEST}"
    folder.mkdir(parents=True)
    values: dict[str, bytes | int] = {f.IMAGE: b"no image", f.CLASS_NAME: b"3", f.SOURCE: b"x", f.LABEL: 3}
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, bytes)
        else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        for key, value in values.items()
    }
    with tf.io.TFRecordWriter(str(folder / "data")) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    (problem,) = client.check(request(model, tmp_path / "examples", tmp_path)).problems
    assert problem.startswith("serve_images fails on a batch of 1 images: ")


def test_images_of_any_size_kind_and_mode(model: str, tmp_path: Path) -> None:
    """The stand-in has inputs of 32 x 32 pixels only, and resizes encoded images in its own way."""
    import tensorflow as tf
    from PIL import Image

    rows = digit_rows(0, 12)
    folder = tmp_path / "examples" / f"Split-{f.TEST}"
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data")) as writer:
        for i, (pixels, label, name) in enumerate(rows):
            packed = io.BytesIO()
            mode, kind = [("RGB", "JPEG"), ("RGBA", "PNG"), ("P", "GIF"), ("L", "BMP"), ("1", "PNG")][i % 5]
            Image.fromarray(pixels).resize((20 + i, 50 - i)).convert(mode).save(packed, kind)
            features = {
                f.IMAGE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[packed.getvalue()])),
                f.CLASS_NAME: tf.train.Feature(bytes_list=tf.train.BytesList(value=[name.encode()])),
                f.SOURCE: tf.train.Feature(bytes_list=tf.train.BytesList(value=["猫\n<b>".encode()])),
                f.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    answers = client.check(request(model, tmp_path / "examples", tmp_path))
    assert answers.problems == []
    assert answers.pictures == len(rows)
    assert dict(np.load(tmp_path / "predictions-00000.npz"))[f.SOURCE][0] == "猫\n<b>"


def test_predictions_are_written_in_parts(
    model: str, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ROWS", client.BATCH)
    client.check(request(model, examples, tmp_path))
    parts = [dict(np.load(path))[f.LABEL] for path in sorted(tmp_path.glob("predictions-*.npz"))]
    assert [len(part) for part in parts] == [128, 89]
    assert np.concatenate(parts).tolist() == [label for _, label, _ in digit_rows()]
