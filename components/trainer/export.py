"""The SavedModel that is served: three ways in, one Transform graph, one network."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from components import features as f
from components.trainer.transform_graph import TransformGraph


def export(model: keras.Model, graph: TransformGraph, class_names: Sequence[str], directory: str) -> None:
    """Writes a SavedModel that needs TensorFlow alone, with the three signatures of `components.features`.

    All three end in the same function of encoded pictures: answers cannot differ between them.

    Args:
      model: from pictures, float32 [N, S, S, 3], normalised, to logits [N, K].
      graph: makes such pictures of encoded ones.
      class_names: K names, in the order of the labels.
      directory: where to write; created.
    """
    names = tf.constant([list(class_names)])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
    def classify(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(model(graph.pictures(images), training=False))
        return {
            f.CLASS_NAMES: tf.tile(names, [tf.shape(images)[0], 1]),
            f.PROBABILITIES: probabilities,
            f.CLASS_INDEX: tf.argmax(probabilities, axis=1),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {f.IMAGE: tf.io.FixedLenFeature([], tf.string)}
        return classify(tf.io.parse_example(examples, spec)[f.IMAGE])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
    def serve_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify(images)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")])
    def serve_tensors(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        # Lossless and uncompressed: the price of having one graph instead of two that must agree.
        def encode(picture: tf.Tensor) -> tf.Tensor:
            return tf.io.encode_png(picture, compression=0)

        return classify(tf.map_fn(encode, pixels, fn_output_signature=tf.string))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.transform = graph.layer
    archive.add_endpoint(f.SERVING_DEFAULT, serving_default)
    archive.add_endpoint(f.SERVE_IMAGES, serve_images)
    archive.add_endpoint(f.SERVE_TENSORS, serve_tensors)
    archive.write_out(directory, verbose=False)
