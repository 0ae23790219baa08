"""`vertex predict`: an endpoint is asked about images, in requests that Vertex AI takes."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud.aiplatform_v1 import EndpointServiceClient, PredictionServiceClient
from google.cloud.aiplatform_v1.types import Endpoint, ListEndpointsRequest, PredictResponse
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import encoding, images, reduction
from components.example_gen.rejected import Rejected
from components.text import printable
from pipeline.config import Config
from pipeline.platforms.vertex.cloud import (
    CONSOLE,
    FAILED,
    TIMEOUT,
    Cloud,
    CloudFault,
    connect,
    explain,
    retry_transient,
)
from pipeline.prediction.answers import Answer

# Vertex AI takes requests of up to 1.5 MB (`gcloud ai endpoints predict --help`); this leaves room for their JSON.
REQUEST_BYTES = 1_400_000  # of base64, 3 bytes of an image in 4
IMAGE_BYTES = 1_000_000  # of one image
_NAME = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/endpoints/\d+")
_INSTANCE_BYTES = 100  # of the JSON around an image
_INSTANCES = 256  # of a request
PATIENCE = 60.0  # seconds for which a request is sent again
_QUALITY = 95  # of an image that is encoded again to fit into a request
# The error of a model whose default signature takes no images: it reads them as records that have no image.
_ONLY_EXAMPLES = re.compile(f"Could not parse example|no feature {f.IMAGE} or ")


class Asked:
    """An endpoint that is asked about images.

    Attributes:
      endpoint: it.
      answered: how many images each of its models has answered, by its description.
      shrunk: how many images were encoded again because they did not fit into a request.
    """

    def __init__(self, config: Config, endpoint: str | None, say: Callable[[str], Any]) -> None:
        """Find the endpoint.

        Args:
          config: whose project it is in, and whose pipeline's it is where no other is named.
          endpoint: its display name, number or resource name.
          say: tells that a request is sent again.

        Raises:
          UserError: there is none, or it serves no model.
          CloudFault: Vertex AI does not answer.
        """
        match = _NAME.fullmatch(endpoint or "")
        self._cloud = connect(config.vertex.model_copy(update=match.groupdict()) if match else config.vertex)
        self._retry = retry_transient(
            exceptions.TooManyRequests,
            on_error=lambda error: say(f"{explain(error)}; retrying"),  # not among the answers
            deadline=PATIENCE,
        )
        self.endpoint = _find(self._cloud, endpoint or config.name, endpoint is None, self._retry)
        self._client = self._cloud.client(PredictionServiceClient)
        self.answered: Counter[str] = Counter()
        self.shrunk = 0

    def answer(self, encoded: Sequence[bytes]) -> list[Answer | Rejected]:
        """Return the answers for images that the exported model decodes.

        Raises:
          UserError: the endpoint may not be asked, or its model is none of this project.
          CloudFault: Vertex AI does not answer, or a quota is used up.
        """
        fitting = [fitted(image) for image in encoded]
        self.shrunk += sum(new is not old for new, old in zip(fitting, encoded))
        return [answer for request in _requests(fitting) for answer in self._ask(request)]

    def _ask(self, request: list[bytes]) -> Sequence[Answer | Rejected]:
        """Send one request. Where the model refuses it because of some images, each is sent alone."""
        try:
            response = self._client.predict(
                endpoint=self.endpoint.name,
                instances=[_instance(image) for image in request],
                retry=self._retry,
                timeout=TIMEOUT,
            )
        except exceptions.BadRequest as error:
            if _ONLY_EXAMPLES.search(str(error)):
                raise UserError(
                    f"the model of {self.endpoint.display_name} takes serialized tf.Examples alone: it was exported "
                    "before models took images in this request; train and deploy it again"
                ) from None
            if len(request) > 1:
                return [answer for image in request for answer in self._ask([image])]
            return [Rejected(f"the endpoint refuses it: {printable(explain(error), 300)}")]
        except FAILED as error:
            raise self._fault(error) from None
        model = _model(response)
        answers = list(_answers(response, model, len(request), self.endpoint.display_name))
        told = f"{model['name']} version {model['version']}, deployed model {model['deployed_model']}"
        self.answered[told] += len(answers)
        return answers

    def _fault(self, error: Exception) -> Exception:
        """Return what to raise where a request fails as a whole."""
        cause = error.cause if isinstance(error, exceptions.RetryError) else error
        name = printable(self.endpoint.display_name)
        if isinstance(cause, exceptions.TooManyRequests):
            page = f"{CONSOLE}/iam-admin/quotas?project={self._cloud.project}"
            return CloudFault(f"a quota is used up ({explain(error)}); ask for more: {page}")
        if isinstance(cause, exceptions.ClientError):
            return UserError(f"the endpoint {name} cannot be asked: {explain(error)}")
        return CloudFault(f"the endpoint {name} does not answer: {explain(error)}")


def fitted(image: bytes) -> bytes:
    """Return an encoded image of no more than IMAGE_BYTES: as it is, else as a JPEG of fewer and fewer pixels."""
    if len(image) <= IMAGE_BYTES:
        return image
    pixels = images.read(image, len(image), 1 << 40).pixels
    encoded = encoding.jpeg(pixels, _QUALITY, grey=False)
    while len(encoded) > IMAGE_BYTES:
        pixels = reduction.resized(pixels, max(pixels.shape) * 3 // 4)
        encoded = encoding.jpeg(pixels, _QUALITY, grey=False)
    return encoded


def _find(cloud: Cloud, name: str, of_pipeline: bool, retry: Retry) -> Endpoint:
    """Return the endpoint of that display name, number or resource name; of several of one name the oldest.

    Which is the one that the Pusher deploys to.
    """
    client = cloud.client(EndpointServiceClient)
    label = printable(name)
    try:
        if name.isdecimal() or _NAME.fullmatch(name):
            path = name if "/" in name else f"{cloud.parent}/endpoints/{name}"
            found = [client.get_endpoint(name=path, retry=retry, timeout=TIMEOUT)]
        else:
            request = ListEndpointsRequest(parent=cloud.parent, filter=f'display_name="{name}"')
            listed = client.list_endpoints(request, retry=retry, timeout=TIMEOUT)
            found = sorted(listed, key=lambda endpoint: endpoint.create_time)
    except exceptions.NotFound:
        found = []
    except (exceptions.Forbidden, exceptions.BadRequest) as error:
        raise UserError(f"cannot look for the endpoint {label}: {explain(error)}") from None
    except FAILED as error:
        raise CloudFault(f"cannot look for the endpoint {label}: {explain(error)}") from None
    if not found:
        there_are = f"`gcloud ai endpoints list --region={cloud.region}` shows those that there are"
        hint = "a run with vertex.deploy.to: endpoint makes it" if of_pipeline else there_are
        raise UserError(f"{cloud.project} has no endpoint {label} in {cloud.region}; {hint}")
    if not found[0].deployed_models:
        raise UserError(
            f"the endpoint {found[0].display_name} has no deployed model; a run with vertex.deploy.to: endpoint "
            "deploys one"
        )
    return found[0]


def _requests(encoded: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the images in groups, each of which fits into a request."""
    group: list[bytes] = []
    size = 0
    for image in encoded:
        needed = 4 * -(-len(image) // 3) + _INSTANCE_BYTES
        if group and (size + needed > REQUEST_BYTES or len(group) == _INSTANCES):
            yield group
            group, size = [], 0
        group.append(image)
        size += needed
    if group:
        yield group


def _instance(image: bytes) -> Value:
    instance = Value()
    instance.struct_value["b64"] = base64.b64encode(image).decode()
    return instance


def _model(response: PredictResponse) -> dict[str, str]:
    """Return which model answered; an endpoint may serve several."""
    return {
        "name": response.model_display_name,
        "version": response.model_version_id,
        "path": response.model,
        "deployed_model": response.deployed_model_id,
    }


def _answers(response: PredictResponse, model: Mapping[str, str], count: int, endpoint: str) -> Iterator[Answer]:
    """Yield the answers in a response. UserError if they are not those of an exported model of this project."""
    predictions = json_format.MessageToDict(PredictResponse.pb(response)).get("predictions", [])
    try:
        if len(predictions) != count:
            raise ValueError
        for prediction in predictions:
            classes = [str(name) for name in prediction[f.CLASS_NAMES]]
            probabilities = np.array(prediction[f.PROBABILITIES], np.float32)
            if probabilities.shape != (len(classes),):
                raise ValueError
            yield Answer(classes, probabilities, model)
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"the model of the endpoint {endpoint} is none of this project: it does not answer with "
            f"{f.CLASS_NAMES} and {f.PROBABILITIES}"
        ) from None
