"""The Transform graph: what it decodes, how it resizes, what it normalises by."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from components.contracts import features as f
from components.trainer import networks
from components.trainer.transform_graph import TransformGraph
from components.transform.preprocessing import decode, preprocessing_fn
from tests.datasets import digit_images, example, png, write_digits
from tests.transform.factories import run_transform

pytestmark = pytest.mark.slow


def apply(graph: str, encoded: list[bytes]) -> np.ndarray:
    """float32 [N, S, S, 3], from nothing but the images: as a client of the model sends them."""
    layer = tft.TFTransformOutput(graph).transform_features_layer()
    return tf.function(lambda images: layer({f.IMAGE: images})[f.IMAGE])(tf.constant(encoded)[:, None]).numpy()


def write_split(root: Path, split: str, pictures: list[np.ndarray]) -> None:
    folder = root / f"Split-{split}"
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data.gz"), tf.io.TFRecordOptions("GZIP")) as writer:
        for i, pixels in enumerate(pictures):
            writer.write(example(pixels, i % 2, "ab"[i % 2], f"{split}/{i}"))


def encode(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


@pytest.fixture(scope="module")
def digits_graph(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("digits")
    return run_transform(write_digits(root / "examples"), root)


def test_normalises_by_mean_and_variance_of_train_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    low, spread = np.array([10, 60, 200]), np.array([200, 5, 40])
    train = [(low + rng.random((9, 9, 3)) * spread).astype(np.uint8) for _ in range(150)]
    write_split(tmp_path / "examples", f.TRAIN, train)
    for split in (f.VALIDATION, f.TEST):
        write_split(tmp_path / "examples", split, [np.full((9, 9, 3), 255, np.uint8)] * 100)
    normalised = apply(run_transform(tmp_path / "examples", tmp_path, size=9), [png(p) for p in train])

    pixels = np.stack(train).astype(np.float64)
    expected = (pixels - pixels.mean((0, 1, 2))) / pixels.std((0, 1, 2))
    np.testing.assert_allclose(normalised, expected, atol=2e-3)
    np.testing.assert_allclose(normalised.mean((0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(normalised.std((0, 1, 2)), 1, atol=1e-3)


@pytest.mark.parametrize("network", [name for name, traits in networks.NETWORKS.items() if traits.pretraining])
def test_normalises_as_the_weights_of_a_pretrained_network_expect(network: str) -> None:
    """By one mean and deviation, or by those of each channel; as they reach the stage, through JSON."""
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    inputs = {f.IMAGE: tf.constant([png(image)]), f.LABEL: tf.constant([1], tf.int64)}
    pretraining = networks.traits(network).pretraining
    assert pretraining is not None
    expected = (image - np.array(pretraining.mean)) / np.array(pretraining.deviation)
    config = json.loads(json.dumps({"size": 32, "fit": "squash", "pixels": networks.pixels(network)}))
    np.testing.assert_allclose(preprocessing_fn(inputs, config)[f.IMAGE][0], expected, rtol=1e-4, atol=1e-4)


def test_the_analysis_is_the_same_for_any_batching(digits_graph: str) -> None:
    pixels = digit_images()[0]
    train = pixels[:1400] / 255.0
    expected = (pixels[1500] / 255.0 - train.mean()) / train.std()
    np.testing.assert_allclose(apply(digits_graph, [png(pixels[1500])])[0], expected, atol=1e-4)


def test_a_channel_that_is_constant_on_train_stays_finite(tmp_path: Path) -> None:
    black = [np.zeros((8, 8, 3), np.uint8)] * 4
    for split in f.SPLITS:
        write_split(tmp_path / "examples", split, black)
    graph = run_transform(tmp_path / "examples", tmp_path, size=8)
    white = np.full((8, 8, 3), 255, np.uint8)
    np.testing.assert_array_equal(apply(graph, [png(black[0])]), 0)
    np.testing.assert_allclose(apply(graph, [png(white)]), 255)


def test_images_of_many_sizes_are_analysed_and_served_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (*rng.integers(1, 90, 2), 3), np.uint8) for _ in range(60)]
    for split in f.SPLITS:
        write_split(tmp_path / "examples", split, pictures)
    normalised = apply(run_transform(tmp_path / "examples", tmp_path, size=24), [png(p) for p in pictures])
    assert normalised.shape == (60, 24, 24, 3)
    np.testing.assert_allclose(normalised.mean((0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(normalised.std((0, 1, 2)), 1, atol=1e-3)


def test_output_is_declared_for_training(digits_graph: str) -> None:
    spec = tft.TFTransformOutput(digits_graph).transformed_feature_spec()
    assert spec[f.IMAGE] == tf.io.FixedLenFeature([32, 32, 3], tf.float32)
    assert spec[f.LABEL] == tf.io.FixedLenFeature([], tf.int64)
    assert set(spec) == {f.IMAGE, f.LABEL}


@pytest.mark.parametrize(("mode", "form"), [
    ("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"),
    ("RGB", "PNG"), ("RGBA", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("I;16", "PNG"),
    ("P", "GIF"), ("RGB", "BMP"),
])  # fmt: skip
def test_every_kind_of_image_becomes_three_channels(digits_graph: str, mode: str, form: str) -> None:
    grey = Image.fromarray(np.arange(48 * 40, dtype=np.uint8).reshape(40, 48))
    picture = grey if mode == "I;16" else grey.convert("RGB")
    pixels = decode(encode(picture.convert(mode), form), 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == tf.uint8
    assert np.isfinite(apply(digits_graph, [encode(picture.convert(mode), form)])).all()


def test_a_gif_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert decode(out.getvalue(), 8)[0, 0].numpy().tolist() == [255, 0, 0]


def test_the_right_size_is_left_alone_and_another_is_resized_with_antialias() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(decode(png(pixels), 32), pixels)
    small = tf.image.resize(pixels, [11, 11], antialias=True)
    np.testing.assert_array_equal(decode(png(pixels), 11), np.rint(small.numpy().clip(0, 255)).astype(np.uint8))


def corners(height: int, width: int) -> np.ndarray:
    """An image that is red at the left, blue at the right, and green at the bottom."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = np.linspace(255, 0, width), np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return pixels


@pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40), (41, 40), (32, 32), (7, 90), (300, 301)])
def test_crop_takes_the_largest_square_of_the_middle(height: int, width: int) -> None:
    pixels = corners(height, width)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = pixels[top : top + side, left : left + side]
    np.testing.assert_array_equal(decode(png(pixels), 32, "crop"), decode(png(middle), 32))


@pytest.mark.parametrize(("height", "width", "rows", "columns"), [
    (40, 100, 13, 32), (100, 40, 32, 13), (64, 32, 32, 16), (32, 32, 32, 32), (9, 9, 32, 32), (31, 32, 31, 32),
])  # fmt: skip
def test_pad_keeps_the_whole_image_between_bars_of_grey(height: int, width: int, rows: int, columns: int) -> None:
    pixels = corners(height, width)
    padded = decode(png(pixels), 32, "pad").numpy()
    assert padded.shape == (32, 32, 3)
    top, left = (32 - rows) // 2, (32 - columns) // 2
    inside = padded[top : top + rows, left : left + columns]
    smooth = tf.image.resize(pixels, [rows, columns], antialias=True).numpy()
    np.testing.assert_array_equal(inside, np.rint(smooth.clip(0, 255)).astype(np.uint8))
    bars = np.ones((32, 32), bool)
    bars[top : top + rows, left : left + columns] = False
    np.testing.assert_array_equal(padded[bars], 127)


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 999), (3000, 5)])
def test_an_image_of_any_proportions_fits(fit: str, shape: tuple[int, int]) -> None:
    white = decode(png(np.full((*shape, 3), 255, np.uint8)), 16, fit).numpy()
    assert white.shape == (16, 16, 3)
    assert set(np.unique(white)) <= ({127, 255} if fit == "pad" else {255})
    assert np.any(white == 255), "the image is there"


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_what_is_served_is_what_is_trained_on_however_an_image_fits(tmp_path: Path, fit: str) -> None:
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (*rng.integers(1, 90, 2), 3), np.uint8) for _ in range(30)]
    for split in f.SPLITS:
        write_split(tmp_path / "examples", split, pictures)
    uri = run_transform(tmp_path / "examples", tmp_path, size=24, fit=fit)
    served = apply(uri, [png(p) for p in pictures])
    levels = np.stack([decode(png(p), 24, fit) for p in pictures]).astype(np.float64)
    np.testing.assert_allclose(served, (levels - levels.mean((0, 1, 2))) / levels.std((0, 1, 2)), atol=2e-3)
    graph = TransformGraph(uri, 24)
    records = tf.data.TFRecordDataset(str(tmp_path / "examples" / f"Split-{f.TRAIN}" / "data.gz"), "GZIP")
    trained = np.concatenate([images for images, _ in records.batch(7).map(graph.examples).as_numpy_iterator()])
    np.testing.assert_allclose(trained, served, atol=1e-6)


def test_the_graph_is_the_same_inside_tf_data(digits_graph: str) -> None:
    encoded = [png(p) for p in digit_images()[0][:64]]
    layer = tft.TFTransformOutput(digits_graph).transform_features_layer()
    batches = tf.data.Dataset.from_tensor_slices(encoded).batch(10)
    batches = batches.map(lambda images: layer({f.IMAGE: images[:, None]})[f.IMAGE], tf.data.AUTOTUNE)
    inside = np.concatenate(list(batches.as_numpy_iterator()))
    np.testing.assert_allclose(inside, apply(digits_graph, encoded), atol=1e-6)


def test_images_are_decoded_on_the_host_whatever_else_answers(digits_graph: str) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(
        (Path(tft.TFTransformOutput(digits_graph).transform_savedmodel_dir) / "saved_model.pb").read_bytes()
    )
    functions = saved.meta_graphs[0].graph_def.library.function
    by_image = [
        function
        for function in functions
        if {node.op for node in function.node_def} & {"DecodeImage", "ScaleAndTranslate"}
    ]
    assert len(by_image) == 4, "decoding and resizing, analysed and served"
    assert {node.device for function in by_image for node in function.node_def} == {"/device:CPU:0"}


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(b"no image", 8)
