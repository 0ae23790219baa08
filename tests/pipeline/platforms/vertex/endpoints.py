"""Endpoints of the stand-in for Google Cloud: SavedModels that are loaded, and asked as TensorFlow Serving is.

How a JSON request becomes tensors follows TensorFlow Serving's source (util/json_tensor.cc): an object whose only key
is `b64` is bytes, for the one input of the signature where it is not within an object that names the input.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from google.cloud.aiplatform_v1.types import DeployedModel, Endpoint, ListEndpointsResponse
from google.protobuf import json_format

from components.trainer.export import export
from components.trainer.transform_graph import TransformGraph
from tests.pipeline.platforms.vertex.fakes import NUMBER, REGION, GoogleCloud, Refused

LIMIT = 1_500_000  # bytes of a request
PARENT = f"projects/{NUMBER}/locations/{REGION}"
SIZE = 8  # of the model's input


@dataclass
class WithEndpoints(GoogleCloud):
    """Google Cloud with endpoints; each of them sends every request to the next of its models."""

    endpoints: dict[str, Endpoint] = field(default_factory=dict)  # by number
    folders: dict[str, str] = field(default_factory=dict)  # of SavedModels, by the id of the deployed model
    sizes: list[int] = field(default_factory=list)  # of the requests, in bytes
    instances: list[int] = field(default_factory=list)  # of each request

    def __post_init__(self) -> None:
        super().__post_init__()
        self._loaded: dict[str, Any] = {}
        self._turns: dict[str, Any] = {}

    def serve(self, name: str, *folders: str, number: str = "77") -> None:
        """Make an endpoint that serves models; versions are numbered from 1."""
        endpoint = Endpoint(
            name=f"{PARENT}/endpoints/{number}", display_name=name, create_time={"seconds": 100 + int(number)}
        )
        for version, folder in enumerate(folders, 1):
            model_id = f"{number}00{version}"
            self.folders[model_id] = folder
            endpoint.deployed_models.append(
                DeployedModel(
                    id=model_id, model=f"{PARENT}/models/5", model_version_id=str(version), display_name="shapes"
                )
            )
        self.endpoints[number] = endpoint
        self._turns[number] = itertools.cycle(list(endpoint.deployed_models))

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        _, _, number = path.rpartition("/endpoints")
        number, _, verb = number.lstrip("/").partition(":")
        if "/endpoints" not in path:
            return super().answer(method, path, query, body)
        if not number:
            wanted = json.loads(query["filter"][0].removeprefix("display_name="))
            found = [each for each in self.endpoints.values() if each.display_name == wanted]
            return _json(ListEndpointsResponse(endpoints=found))
        if number not in self.endpoints:
            raise Refused(404, f"The Endpoint {number} does not exist.")
        return self._predict(number, body) if verb == "predict" else _json(self.endpoints[number])

    def _predict(self, number: str, body: Any) -> Any:
        self.sizes.append(len(json.dumps(body, indent=2)))  # as the client writes it
        if self.sizes[-1] > LIMIT:
            raise Refused(400, f"Request payload size exceeds the limit: {LIMIT} bytes.")
        self.instances.append(len(body["instances"]))
        deployed = next(self._turns[number])
        folder = self.folders[deployed.id]
        if folder not in self._loaded:
            self._loaded[folder] = tf.saved_model.load(folder)
        return {
            "predictions": as_tensorflow_serving(self._loaded[folder], body["instances"]),
            "deployedModelId": deployed.id,
            "model": deployed.model,
            "modelVersionId": deployed.model_version_id,
            "modelDisplayName": deployed.display_name,
        }


def as_tensorflow_serving(model: Any, instances: list[Any]) -> list[Any]:
    """Answer the rows of a request that names no signature."""
    signature = model.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    named = [not _is_bytes(instance) and isinstance(instance, dict) for instance in instances]
    if any(named) != all(named):
        raise Refused(400, "Expecting value/list but got object")
    values = []
    for instance in instances:
        if isinstance(instance, dict) and not _is_bytes(instance):
            if set(instance) != {name}:
                raise Refused(400, f"JSON object: must only have keys: {name}")
            instance = instance[name]
        if not _is_bytes(instance):
            raise Refused(400, "JSON Value: is not formatted as base64")
        try:
            values.append(base64.b64decode(instance["b64"], validate=True))
        except binascii.Error:
            raise Refused(400, "Unable to base64 decode") from None
    try:
        outputs = {key: tensor.numpy() for key, tensor in signature(**{name: tf.constant(values)}).items()}
    except tf.errors.OpError as error:
        raise Refused(400, json.dumps({"error": error.message[:1000]})) from None
    except UnicodeDecodeError as error:  # of TensorFlow's message, which ends in the bytes of the record
        message = error.object[: error.start].decode()
        raise Refused(400, json.dumps({"error": message})) from None
    return [{key: _plain(value[row]) for key, value in outputs.items()} for row in range(len(instances))]


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _plain(value: Any) -> Any:
    made = value.tolist()
    return [each.decode() if isinstance(each, bytes) else each for each in made] if isinstance(made, list) else made


def _json(message: Any) -> Any:
    return json_format.MessageToDict(type(message).pb(message), use_integers_for_enums=True)


class _Plain(TransformGraph):
    """Return the image at its size, with values from 0 to 1, as Transform would."""

    def __init__(self) -> None:
        self.layer, self.size = tf.Module(), SIZE

    def images(self, encoded: tf.Tensor) -> tf.Tensor:
        def one(raw: tf.Tensor) -> tf.Tensor:
            pixels = tf.io.decode_image(raw, channels=3, expand_animations=False)
            return tf.image.resize(pixels[None], [SIZE, SIZE])[0] / 255

        return tf.map_fn(one, encoded, fn_output_signature=tf.TensorSpec([SIZE, SIZE, 3], tf.float32))


def export_brightest(folder: Path, classes: tuple[str, str, str]) -> str:
    """Export, as the Trainer does, a model that tells which of red, green and blue is the brightest in the upper half.

    So it sees whether an image is upright.
    """
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Cropping2D(((0, SIZE // 2), (0, 0))),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    model.layers[-1].set_weights([np.eye(3, dtype=np.float32) * 8, np.zeros(3, np.float32)])
    export(model, _Plain(), classes, str(folder))
    return str(folder)


def export_for_examples_alone(folder: Path) -> str:
    """Save a model whose default signature takes serialized tf.Examples alone, as models had it before."""

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            parsed = tf.io.parse_example(examples, {"image": tf.io.FixedLenFeature([], tf.string, "")})
            message = "no feature image or image/encoded holds an encoded image; number in the request:"
            tf.debugging.Assert(tf.reduce_all(parsed["image"] != ""), [message])
            return {"class_names": parsed["image"][:, None], "probabilities": tf.ones([tf.shape(examples)[0], 1])}

    module = Model()
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
    return str(folder)
