"""A client of the exported model: a process of its own with TensorFlow alone, as a server would have it.

`python -m components.serving_check.client` reads the JSON of a `Request` from standard input, and writes to its
folder ANSWERS_FILE (a `ClientReport`) and the files of contracts/predictions.py.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from components.contracts import features as f
from components.contracts import predictions
from components.contracts.predictions import Predictions
from components.imports import gc_paused

INPUTS = {f.SERVING_DEFAULT: "examples", f.SERVE_IMAGES: "images", f.SERVE_TENSORS: "pixels"}
BATCH = 128  # images a request to serve_images; they may be photographs of many megabytes
SAMPLE = 8  # images of a batch that also go to the other two signatures
ONE_IN = 64  # about one image in so many goes to them
ROWS = 32 * BATCH  # of a predictions file
TOLERANCE = 1e-3  # between two signatures, in one process: by how much a probability may differ
ANSWERS_FILE = "answers.json"
TIE = 1e-2  # the two best probabilities are so close that another machine may see them the other way round


@dataclasses.dataclass(frozen=True)
class Request:
    model: str  # folder of the SavedModel
    examples: list[str]  # TFRecord files of tf.Examples; gzip-compressed if their name ends in .gz
    output: str  # an existing folder


@dataclasses.dataclass
class ClientReport:
    """What the client found. The model is fit to serve if `problems`, in plain words, is empty."""

    problems: list[str] = dataclasses.field(default_factory=list)
    pictures: int = 0  # answered by serve_images
    compared: int = 0  # of these, answered by all three signatures
    ties: int = 0  # images whose two best probabilities differ by less than TIE
    pairs: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)  # {class: {predicted class: n}}


class ModelContractError(Exception):
    """The model is not fit to serve. The message says why."""


class Client:
    """The three signatures of a SavedModel.

    Raises:
      ModelContractError: the model does not load, or lacks a signature or its input.
    """

    def __init__(self, folder: str) -> None:
        import tensorflow as tf

        try:
            self._model = tf.saved_model.load(folder)  # kept: the signatures do not keep its variables alive
        except Exception as error:  # any error here is a finding about the model, not a fault of the check
            raise ModelContractError(f"the model does not load: {_one_line(error)}") from error
        self._signatures: dict[str, Any] = {}
        for name, expected in INPUTS.items():
            if name not in self._model.signatures:
                raise ModelContractError(f"the model has no signature {name!r}")
            signature = self._model.signatures[name]
            inputs = signature.structured_input_signature[1]
            if set(inputs) != {expected}:
                raise ModelContractError(f"the input of signature {name!r} is {sorted(inputs)}, not {expected!r}")
            self._signatures[name] = signature
        pixels = self._signatures[f.SERVE_TENSORS].structured_input_signature[1][INPUTS[f.SERVE_TENSORS]]
        shape = pixels.shape  # the model may take images of one size only
        self.size = (shape[1], shape[2]) if shape.rank == 4 else (None, None)  # (height, width), None: any

    def predict(self, name: str, batch: Any) -> tuple[list[str], np.ndarray]:
        """Return (class names [K], probabilities float32 [N, K]) of signature `name`, checked against the contract."""
        try:
            answer = {key: value.numpy() for key, value in self._signatures[name](**{INPUTS[name]: batch}).items()}
        except Exception as error:
            raise ModelContractError(f"{name} fails on a batch of {len(batch)} images: {_one_line(error)}") from error
        missing = {f.CLASS_NAMES, f.PROBABILITIES, f.CLASS_INDEX} - set(answer)
        if missing:
            raise ModelContractError(f"{name} does not return {', '.join(sorted(missing))}")
        names, probabilities, index = (answer[k] for k in (f.CLASS_NAMES, f.PROBABILITIES, f.CLASS_INDEX))
        if probabilities.ndim != 2 or len(probabilities) != len(batch) or names.shape != probabilities.shape:
            raise ModelContractError(
                f"{name} returns probabilities {probabilities.shape} and class_names {names.shape}"
            )
        if probabilities.dtype != np.float32:
            raise ModelContractError(f"{name} returns probabilities of type {probabilities.dtype}, not float32")
        if not np.isfinite(probabilities).all():
            raise ModelContractError(f"{name} returns probabilities that are not finite numbers")
        if np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max() > TOLERANCE:
            raise ModelContractError(f"{name} returns probabilities that do not add up to 1")
        if not np.array_equal(index, probabilities.argmax(axis=1)):
            raise ModelContractError(f"{name} returns a class_index that is not that of the largest probability")
        if not (names == names[0]).all() or len(set(names[0])) != names.shape[1]:
            raise ModelContractError(f"{name} returns class_names that differ between images or name a class twice")
        return [value.decode() for value in names[0]], probabilities


def check(request: Request) -> ClientReport:
    """Ask the model about every image. Problems are returned in the report, never raised."""
    report = ClientReport()
    pairs: Counter[tuple[str, str]] = Counter()
    try:
        client = Client(request.model)
        for part, rows in enumerate(_parts(_predictions(client, request.examples, report, pairs))):
            predictions.write(request.output, part, predictions.concatenate(rows))
        if not report.pictures:
            raise ModelContractError("the split has no image to send to the model")
    except ModelContractError as refusal:
        report.problems.append(str(refusal))
    except Exception as error:
        report.problems.append(f"the client of the model failed: {_one_line(error)}")
    for (name, predicted), count in sorted(pairs.items()):
        report.pairs.setdefault(name, {})[predicted] = count
    return report


def _predictions(
    client: Client, files: list[str], report: ClientReport, pairs: Counter[tuple[str, str]]
) -> Iterator[Predictions]:
    """Yield the predictions, batch by batch, and count them in `report` and `pairs`."""
    for records, batch in _batches(files):
        names, probabilities = client.predict(f.SERVE_IMAGES, batch[f.IMAGE])
        index = probabilities.argmax(axis=1)
        classes = [name.decode() for name in batch[f.CLASS_NAME]]
        if not report.problems:  # the first is enough; the images are still answered, for the report
            try:
                _check_labels(batch[f.LABEL].tolist(), classes, names)
                if report.compared <= report.pictures // ONE_IN:
                    _compare(client, records[:SAMPLE], batch[f.IMAGE][:SAMPLE], names, probabilities[:SAMPLE])
                    report.compared += len(records[:SAMPLE])
            except ModelContractError as refusal:
                report.problems.append(str(refusal))
        pairs.update(zip(classes, (names[i] for i in index)))
        best = np.sort(probabilities, axis=1)[:, -2:]
        report.ties += int((best[:, -1] - best[:, 0] < TIE).sum()) if len(names) > 1 else 0
        report.pictures += len(classes)
        sources = np.array([source.decode(errors="replace") for source in batch[f.SOURCE]])
        yield Predictions(sources, np.array(classes), batch[f.LABEL], index, probabilities)


def _parts(batches: Iterator[Predictions]) -> Iterator[list[Predictions]]:
    """Yield batches in groups of about ROWS images."""
    while group := list(itertools.islice(batches, ROWS // BATCH)):
        yield group


def _check_labels(labels: list[int], classes: list[str], names: list[str]) -> None:
    for label, name in sorted(set(zip(labels, classes))):
        if not 0 <= label < len(names):
            raise ModelContractError(f"label {label} is {name!r} in the data, but the model has {len(names)} classes")
        if names[label] != name:
            raise ModelContractError(f"label {label} is {name!r} in the data, but {names[label]!r} in the model")


def _compare(client: Client, records: Any, images: Any, names: list[str], expected: np.ndarray) -> None:
    """Raise ModelContractError if the other two signatures do not answer as serve_images does.

    serve_tensors gets the decoded pixels, and serve_images the same pixels again as PNG: decoders differ in a
    JPEG's last bit, and a model with inputs of one fixed size may resize others in its own way.
    """
    import tensorflow as tf

    for rows in (records, images):  # serving_default takes both
        _agree(f.SERVING_DEFAULT, client.predict(f.SERVING_DEFAULT, rows), names, expected)
    height, width = client.size
    of_size: dict[tuple[int, ...], list[Any]] = {}  # a request holds images of one size
    for image in images:
        pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
        size = (height or pixels.shape[0], width or pixels.shape[1])
        if size != tuple(pixels.shape[:2]):
            pixels = tf.cast(tf.round(tf.image.resize(pixels, size)), tf.uint8)
        of_size.setdefault(size, []).append(pixels)
    for batch in of_size.values():
        reference = client.predict(f.SERVE_IMAGES, tf.stack([tf.io.encode_png(pixels) for pixels in batch]))
        _agree(f.SERVE_TENSORS, client.predict(f.SERVE_TENSORS, tf.stack(batch)), *reference)


def _agree(name: str, answer: tuple[list[str], np.ndarray], names: list[str], expected: np.ndarray) -> None:
    if answer[0] != names:
        raise ModelContractError(f"{name} returns other class_names than serve_images")
    difference = float(np.abs(answer[1] - expected).max())
    if difference > TOLERANCE:
        raise ModelContractError(
            f"{name} and serve_images differ by {difference:.4f} in a probability of the same image; "
            f"at most {TOLERANCE} is allowed"
        )


def _batches(files: list[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield (serialized tf.Examples string [N], {feature: array [N]}), read as they are needed."""
    import tensorflow as tf

    string, integer = tf.io.FixedLenFeature([], tf.string), tf.io.FixedLenFeature([], tf.int64)
    features = {f.IMAGE: string, f.CLASS_NAME: string, f.SOURCE: string, f.LABEL: integer}
    for file in files:
        dataset = tf.data.TFRecordDataset(file, compression_type="GZIP" if file.endswith(".gz") else "")
        for records in dataset.batch(BATCH):
            yield records, {key: value.numpy() for key, value in tf.io.parse_example(records, features).items()}


def _one_line(error: Exception) -> str:
    """Return the first line of TensorFlow's message, which is often a page."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def main() -> None:
    # On the processor: the process that started this one may hold all memory of the accelerators.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # TensorFlow alone: a model that needs Keras is unfit, and what TensorFlow does not require but would load if it is
    # there is not looked for.
    sys.modules.update(dict.fromkeys(("keras", "googleapiclient", "scipy")))  # type: ignore[arg-type]
    with gc_paused():
        import tensorflow as tf
    request = Request(**json.load(sys.stdin))
    report = check(request)
    with tf.io.gfile.GFile(os.path.join(request.output, ANSWERS_FILE), "w") as file:
        file.write(json.dumps(dataclasses.asdict(report), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
