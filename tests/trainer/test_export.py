"""The SavedModel: three signatures, one answer, TensorFlow alone; and TFMA can read it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.contracts import features as f
from components.contracts import training as records
from components.trainer.export import export
from components.trainer.model import over_views
from components.trainer.networks.airbench import build
from components.trainer.transform_graph import TransformGraph
from tests.datasets import DIGITS, digit_images, png
from tests.trainer.conftest import Data, Trained, settings_of

pytestmark = pytest.mark.slow

CLIENT = """
import json, sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
inputs = np.load("inputs.npz")
for name, key in (("serving_default", "examples"), ("serve_images", "images"), ("serve_tensors", "pixels")):
    values = inputs[key].tolist() if key != "pixels" else inputs[key]
    answers = model.signatures[name](**{key: tf.constant(values)})
    np.savez(name + ".npz", **{k: v.numpy() for k, v in answers.items()})
print(json.dumps(sorted(m for m in sys.modules if m.split(".")[0] in ("tfx", "tensorflow_transform", "tfx_bsl"))))
"""


def serve(model: str, signature: str, **inputs: object) -> dict[str, np.ndarray]:
    answers = tf.saved_model.load(model).signatures[signature](**inputs)
    return {name: value.numpy() for name, value in answers.items()}


def test_a_clean_process_gets_one_answer_from_three_signatures(
    trained: Trained, test_examples: list[bytes], tmp_path: Path
) -> None:
    pixels, labels = digit_images()
    pixels, labels = pixels[-217:], labels[-217:]
    np.savez(
        tmp_path / "inputs.npz",
        examples=np.array(test_examples, object),
        images=np.array([png(p) for p in pixels], object),
        pixels=pixels,
    )
    program = CLIENT.replace("np.load(", "np.load(allow_pickle=True, file=")
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program, trained.model],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []

    answers = [np.load(tmp_path / f"{name}.npz", allow_pickle=True) for name in
               (f.SERVING_DEFAULT, f.SERVE_IMAGES, f.SERVE_TENSORS)]  # fmt: skip
    for answer in answers:
        assert set(answer) == {f.CLASS_NAMES, f.PROBABILITIES, f.CLASS_INDEX}
        assert answer[f.CLASS_NAMES].tolist() == [[d.encode() for d in DIGITS]] * 217
        assert answer[f.PROBABILITIES].dtype == np.float32
        assert answer[f.CLASS_INDEX].dtype == np.int64
        np.testing.assert_allclose(answer[f.PROBABILITIES].sum(1), 1, atol=1e-5)
        np.testing.assert_array_equal(answer[f.PROBABILITIES], answers[0][f.PROBABILITIES])
        np.testing.assert_array_equal(answer[f.CLASS_INDEX], answer[f.PROBABILITIES].argmax(1))
    # The last digits of the set are by writers that train has not seen: harder than a random split.
    assert np.mean(answers[0][f.CLASS_INDEX] == labels) >= 0.95


def record(**features: bytes) -> bytes:
    """A serialized tf.Example; `__` in a feature's name stands for `/`."""
    values = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[raw])) for name, raw in features.items()}
    values = {name.replace("__", "/"): value for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString()


def test_an_example_needs_nothing_but_its_image(trained: Trained) -> None:
    """Under our name for it or under that of TensorFlow's own records."""
    images = [png(pixels) for pixels in digit_images()[0][:2]]
    records = tf.constant([record(image=images[0], label=b"7"), record(image__encoded=images[1])])
    answer = serve(trained.model, f.SERVING_DEFAULT, examples=records)
    expected = serve(trained.model, f.SERVE_IMAGES, images=tf.constant(images))
    np.testing.assert_array_equal(answer[f.PROBABILITIES], expected[f.PROBABILITIES])


def test_the_default_signature_takes_images_and_examples_in_one_request(trained: Trained) -> None:
    """Which is the only signature that Vertex AI's `predict` asks."""
    images = []
    for form in ("PNG", "JPEG", "BMP", "GIF"):
        out = io.BytesIO()
        Image.fromarray(digit_images()[0][len(images)]).save(out, form)
        images.append(out.getvalue())
    expected = serve(trained.model, f.SERVE_IMAGES, images=tf.constant(images))[f.PROBABILITIES]
    mixed = [images[0], record(image=images[1]), record(image__encoded=images[2]), images[3]]
    for rows in (images, [record(image=raw) for raw in images], mixed):
        answer = serve(trained.model, f.SERVING_DEFAULT, examples=tf.constant(rows))
        np.testing.assert_array_equal(answer[f.PROBABILITIES], expected)


@pytest.fixture(scope="module")
def of_six_views(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with the layers that the presets for colour images have; untrained."""
    folder = str(tmp_path_factory.mktemp("views") / "model")
    model = over_views(build(settings_of(width=4), len(DIGITS)), 6)
    export(model, TransformGraph(digits.graph, 32), DIGITS, folder)
    return folder


@pytest.mark.parametrize(
    ("signature", "empty"),
    [
        (f.SERVING_DEFAULT, {"examples": tf.constant([], tf.string)}),
        (f.SERVE_IMAGES, {"images": tf.constant([], tf.string)}),
        (f.SERVE_TENSORS, {"pixels": tf.zeros([0, 32, 32, 3], tf.uint8)}),
        (f.SERVE_TENSORS, {"pixels": tf.zeros([0, 0, 0, 3], tf.uint8)}),
    ],
)
def test_an_empty_batch_gets_an_empty_answer(
    trained: Trained, of_six_views: str, signature: str, empty: dict[str, tf.Tensor]
) -> None:
    for model in (trained.model, of_six_views):
        answer = serve(model, signature, **empty)
        assert answer[f.PROBABILITIES].shape == answer[f.CLASS_NAMES].shape == (0, 10)
        assert answer[f.CLASS_INDEX].shape == (0,)


@pytest.mark.parametrize(
    ("signature", "wrong", "told"),
    [
        (f.SERVE_IMAGES, {"images": [b"", b"RIFF....WEBP"]}, r"JPEG, PNG, BMP or GIF, .*request:\] \[1 2\]"),
        (f.SERVING_DEFAULT, {"examples": [record(label=b"7"), b""]}, r"image or image/encoded .*request:\] \[1 2\]"),
        (f.SERVING_DEFAULT, {"examples": [b"RIFF....WEBP", b"\0"]}, r"nor a serialized tf.Ex.*request:\] \[1 2\]"),
        (f.SERVING_DEFAULT, {"examples": [record(image=b"RIFF....WEBP")]}, r"JPEG, PNG, BMP or GIF.*request:\] \[1\]"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(
    trained: Trained, signature: str, wrong: dict[str, list[bytes]], told: str
) -> None:
    (key, values), good = *wrong.items(), png(digit_images()[0][0])
    first = good if key == "images" else record(image=good)
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        serve(trained.model, signature, **{key: tf.constant([first, *values])})


def test_pixels_of_no_extent_do_not_end_the_server(trained: Trained) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="images of no pixels"):
        serve(trained.model, f.SERVE_TENSORS, pixels=tf.zeros([2, 0, 9, 3], tf.uint8))


def test_pixels_of_any_size_are_resized_as_images_are(trained: Trained) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 50, 41, 3), np.uint8)
    answer = serve(trained.model, f.SERVE_TENSORS, pixels=tf.constant(pixels))
    expected = serve(trained.model, f.SERVE_IMAGES, images=tf.constant([png(p) for p in pixels]))
    np.testing.assert_array_equal(answer[f.PROBABILITIES], expected[f.PROBABILITIES])


def test_images_of_several_kinds_and_sizes_are_served_together(trained: Trained) -> None:
    encoded = []
    for form, size in (("JPEG", (32, 32)), ("PNG", (64, 48)), ("BMP", (8, 9)), ("GIF", (32, 32))):
        out = io.BytesIO()
        Image.fromarray(digit_images()[0][7]).resize(size).save(out, form)
        encoded.append(out.getvalue())
    assert serve(trained.model, f.SERVE_IMAGES, images=tf.constant(encoded))[f.CLASS_INDEX].shape == (4,)


def test_every_variable_is_in_the_file_once(trained: Trained) -> None:
    parameters = records.read(str(trained.run)).parameters
    [file] = Path(trained.model, "variables").glob("variables.data-*")
    assert parameters
    assert file.stat().st_size < 1.5 * 4 * parameters


def test_any_class_name_comes_back_as_it_is(digits: Data, tmp_path: Path) -> None:
    names = ["a b", "<b>&\"'", "line\nbreak", "日本語", "-rf", "%s{}"]
    export(
        build(settings_of(width=4), len(names)),
        TransformGraph(digits.graph, 32),
        names,
        str(tmp_path / "model"),
    )
    answer = serve(str(tmp_path / "model"), f.SERVE_TENSORS, pixels=tf.zeros([1, 32, 32, 3], tf.uint8))
    assert [name.decode() for name in answer[f.CLASS_NAMES][0]] == names


def test_tfma_evaluates_it(trained: Trained, digits: Data, tmp_path: Path) -> None:
    import tensorflow_model_analysis as tfma
    from google.protobuf import text_format

    config = text_format.Parse(
        """
        model_specs { signature_name: "serving_default" label_key: "label" prediction_key: "probabilities" }
        slicing_specs {}
        metrics_specs { metrics { class_name: "SparseCategoricalAccuracy" } }
        """,
        tfma.EvalConfig(),
    )
    model = tfma.default_eval_shared_model(trained.model, eval_config=config)
    result = tfma.run_model_analysis(
        model,
        eval_config=config,
        data_location=str(digits.examples / "Split-test" / "*"),
        output_path=str(tmp_path),
    )
    metrics = result.get_metrics_for_slice()
    assert metrics["sparse_categorical_accuracy"]["doubleValue"] >= 0.95
