"""The exported SavedModel: three signatures, one Transform graph, one network.

It reads JPEG, PNG, BMP and GIF, and applies no EXIF orientation: a client turns photographs upright first
(`PIL.ImageOps.exif_transpose`), as ExampleGen did with the training images; `image-pipeline predict` does, and reads
every format that ExampleGen reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from components.contracts import features as f
from components.trainer.transform_graph import TransformGraph

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8")  # of what TensorFlow decodes
_RECORD = b"\n"  # of a serialized tf.Example that is not empty: the tag of its only field
_TENSORFLOWS_IMAGE = "image/encoded"  # what the feature is called in TensorFlow's own records


def export(model: keras.Model, graph: TransformGraph, class_names: Sequence[str], directory: str) -> None:
    """Write a SavedModel that needs TensorFlow alone, with the three signatures of `components.contracts.features`.

    All three end in the same function of encoded images: predictions cannot differ between them.

    Args:
      model: from images, float32 [N, S, S, 3], normalised, to logits [N, K].
      graph: makes such images of encoded ones.
      class_names: K names, in the order of the labels.
      directory: where to write; created.
    """
    names = tf.constant([list(class_names)])
    blank = tf.io.encode_png(tf.zeros([1, 1, 3], tf.uint8)).numpy()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
    def serve_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(images)[0]
        readable = _are_images(images)
        message = (
            "not a JPEG, PNG, BMP or GIF, which are what this model reads: convert it first; number in the request:"
        )
        with tf.control_dependencies(
            [tf.debugging.Assert(tf.reduce_all(readable), [message, tf.where(~readable)[:, 0]])]
        ):
            # An empty request asks about a blank image, whose answer is dropped: not every layer takes no image at all.
            images = tf.concat([images, tf.fill([tf.maximum(1 - count, 0)], blank)], axis=0)
        probabilities = tf.nn.softmax(model(graph.images(images), training=False))[:count]
        return {
            f.CLASS_NAMES: tf.tile(names, [count, 1]),
            f.PROBABILITIES: probabilities,
            f.CLASS_INDEX: tf.argmax(probabilities, axis=1),
        }

    # Vertex AI's `predict` can name no other signature: a row is an encoded image, or a record that contains one.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        direct = _are_images(examples)
        known = direct | (examples == "") | _begins_with(examples, _RECORD)
        message = (
            "neither a JPEG, PNG, BMP or GIF, which are what this model reads, nor a serialized tf.Example with one; "
            "number in the request:"
        )
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(known), [message, tf.where(~known)[:, 0]])]):
            records = tf.where(direct, "", examples)
        spec = {name: tf.io.FixedLenFeature([], tf.string, "") for name in (f.IMAGE, _TENSORFLOWS_IMAGE)}
        parsed = tf.io.parse_example(records, spec)
        images = tf.where(parsed[f.IMAGE] == "", parsed[_TENSORFLOWS_IMAGE], parsed[f.IMAGE])
        images = tf.where(direct, examples, images)
        message = f"no feature {f.IMAGE} or {_TENSORFLOWS_IMAGE} holds an encoded image; number in the request:"
        missing = tf.where(images == "")[:, 0]
        with tf.control_dependencies([tf.debugging.Assert(tf.size(missing) == 0, [message, missing])]):
            return serve_images(tf.identity(images))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")])
    def serve_tensors(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        # Lossless and uncompressed: the price of having one graph instead of two that must agree.
        def encode(image: tf.Tensor) -> tf.Tensor:
            return tf.io.encode_png(image, compression=0)

        count, height, width, _ = tf.unstack(tf.shape(pixels))
        some = tf.logical_or(count == 0, height * width > 0)  # of no pixels, TensorFlow's encoder ends the process
        with tf.control_dependencies([tf.debugging.Assert(some, ["images of no pixels:", height, width])]):
            pixels = tf.identity(pixels)
        return serve_images(tf.map_fn(encode, pixels, fn_output_signature=tf.string))

    archive = keras.export.ExportArchive()
    # `track` would add Keras' variables, beside TensorFlow's that the functions use: each would be in the file twice.
    # The order is that of the model: warm_start.load_weights relies on it.
    archive.variables.extend(variable.value for variable in model.variables)
    archive.transform = graph.layer
    archive.add_endpoint(f.SERVING_DEFAULT, serving_default)
    archive.add_endpoint(f.SERVE_IMAGES, serve_images)
    archive.add_endpoint(f.SERVE_TENSORS, serve_tensors)
    archive.write_out(directory, verbose=False)


def _are_images(rows: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any([_begins_with(rows, magic) for magic in _MAGIC], axis=0)


def _begins_with(images: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(images, 0, len(magic)) == magic
