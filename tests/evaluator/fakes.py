"""Stand-ins for stages of the pipeline, and for the model that its Trainer makes.

The model is a small, real SavedModel with the three signatures of contracts/features.py: nearest class centroid.
"""

# No `from __future__ import annotations`: TFX reads the annotations of a component function as objects.
import os
from pathlib import Path
from typing import Any

import numpy as np
from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing

from components.contracts import features as f
from tests.datasets import digit_images
from tests.evaluator.factories import digit_rows, write_rows

GRID = 8  # the image is averaged to GRID x GRID pixels


def digit_centroids() -> np.ndarray:
    """float32 [10, GRID * GRID * 3]: the mean of each digit over the images of the train split."""
    pixels, labels = digit_images()
    small = pixels.reshape(len(pixels), GRID, 32 // GRID, GRID, 32 // GRID, 3).mean(axis=(2, 4)) / 255
    flat = small.reshape(len(pixels), -1)[:1400].astype(np.float32)
    return np.stack([flat[labels[:1400] == digit].mean(axis=0) for digit in range(10)])


def save_standin(
    folder: Path | str,
    class_names: tuple[str, ...] = tuple("0123456789"),
    centroids: np.ndarray | None = None,
    size: int = 32,
    without: tuple[str, ...] = (),
    tensors_shift: int = 0,
    sharpness: float = 20.0,
) -> str:
    """Saves the model below `folder`/Format-Serving and returns `folder`, the uri of a Model artifact.

    `without` leaves signatures out; `tensors_shift` makes serve_tensors answer with another class.
    """
    import tensorflow as tf

    centres = tf.constant(digit_centroids() if centroids is None else centroids, tf.float32)
    names = tf.constant([name.encode() for name in class_names])

    def answer(pixels: Any, shift: int = 0) -> dict[str, Any]:
        """`pixels`: float32 [N, size, size, 3] in [0, 1]."""
        small = tf.image.resize(pixels, [GRID, GRID], method="area")
        flat = tf.reshape(small, [tf.shape(small)[0], GRID * GRID * 3])
        distance = tf.reduce_sum((flat[:, None, :] - centres[None]) ** 2, axis=-1)
        probabilities = tf.roll(tf.nn.softmax(-distance * sharpness / 10), shift, axis=-1)
        return {
            f.CLASS_NAMES: tf.tile(names[None], [tf.shape(small)[0], 1]),
            f.PROBABILITIES: probabilities,
            f.CLASS_INDEX: tf.argmax(probabilities, axis=-1),
        }

    def decode(images: Any) -> Any:
        def one(image: Any) -> Any:
            picture = tf.io.decode_image(image, channels=3, expand_animations=False)
            picture.set_shape([None, None, 3])
            return tf.image.resize(picture, [size, size]) / 255

        return tf.map_fn(one, images, fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32))

    class Standin(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serving_default(self, examples: Any) -> dict[str, Any]:
            record = tf.strings.substr(examples, 0, 1) == b"\n"
            parsed = tf.io.parse_example(
                tf.where(record, examples, ""), {f.IMAGE: tf.io.FixedLenFeature([], tf.string, "")}
            )
            return answer(decode(tf.where(record, parsed[f.IMAGE], examples)))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
        def serve_images(self, images: Any) -> dict[str, Any]:
            return answer(decode(images))

        @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8, name="pixels")])
        def serve_tensors(self, pixels: Any) -> dict[str, Any]:
            return answer(tf.cast(pixels, tf.float32) / 255, tensors_shift)

    module = Standin()
    names_of_signatures = (f.SERVING_DEFAULT, f.SERVE_IMAGES, f.SERVE_TENSORS)
    signatures = {name: getattr(module, name) for name in names_of_signatures if name not in without}
    tf.saved_model.save(module, str(Path(folder) / "Format-Serving"), signatures=signatures)
    return str(folder)


@component
def Train(model: OutputArtifact[Model], recipe: Parameter[str]) -> None:
    os.makedirs(os.path.join(model.uri, "Format-Serving"))
    with open(os.path.join(model.uri, "Format-Serving", "saved_model.pb"), "w") as file:
        file.write(str(recipe))


@component
def Evaluate(
    model: InputArtifact[Model],
    blessing: OutputArtifact[ModelBlessing],
    blessed: Parameter[int],
    baseline_model: InputArtifact[Model] = None,
) -> None:
    """As TFX's Evaluator marks its blessing; the baseline's recipe is kept to be looked at."""
    baseline = "none"
    if baseline_model:
        with open(os.path.join(baseline_model.uri, "Format-Serving", "saved_model.pb")) as file:
            baseline = file.read()
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, blessed)
    blessing.set_string_custom_property("baseline_recipe", baseline)


@component
def Digits(examples: OutputArtifact[Examples]) -> None:
    """Digits as ExampleGen leaves them: the split `test` alone."""
    write_rows(Path(examples.uri), digit_rows())
    examples.split_names = artifact_utils.encode_split_names([f.TEST])


@component
def Standin(model: OutputArtifact[Model], sharpness: Parameter[float]) -> None:
    """A real SavedModel in the place of the Trainer's; how sharp its probabilities are changes no answer."""
    save_standin(model.uri, sharpness=sharpness)
