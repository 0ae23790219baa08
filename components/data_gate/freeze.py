"""Curation of an inferred schema: a text file that people read, edit and review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components import files
from components.contracts import features as f
from components.contracts import schema as schemas
from components.errors import UserError

_HEADER = """\
# What the data must look like. Frozen from the schema that a run inferred; made to be edited and reviewed.
#
# Every run validates its data against this file and the gate stops it on a breach.
#   presence, shape   every image has every feature, exactly once
#   skew_comparator   how far validation and test may be from train
#   drift_comparator  how far train may be from the train split that passed the gate before
# Splits of fewer than 100 images are not compared.
# A Jensen-Shannon divergence of 0 is the same distribution, 1 nothing in common. Small splits differ by
# chance alone: the largest of three random samples of CIFAR-10's test images was 0.18 for 50 images, 0.08 for
# 100, 0.04 for 200 and 0.03 for 500. Brightness raised by 0.1 is 0.13 there, contrast times 0.7 is 0.22, and
# colour turned grey is 1. A class's share differed by 0.09 for 50, 0.08 for 200 and 0.04 for 500.
"""

_COMPARED = (
    " skew_comparator { jensen_shannon_divergence { threshold: 0.15 } }"
    " drift_comparator { jensen_shannon_divergence { threshold: 0.15 } }"
)

# Per feature, in the order of the file: a comment, and the constraints beyond presence and shape.
_FEATURES: dict[str, tuple[str, str]] = {
    f.IMAGE: ("The encoded image.", ""),
    f.LABEL: ("Index into the classes below, so it is distributed as class_name is.", ""),
    f.CLASS_NAME: (
        "One of the classes below. No class's share of the images may change by more than the threshold.",
        "skew_comparator { infinity_norm { threshold: 0.1 } } drift_comparator { infinity_norm { threshold: 0.1 } }",
    ),
    f.SOURCE: ("Where the image came from: a path, or the member and row of an archive.", ""),
    f.PIXELS_SHA256: ("Of the decoded pixels. The gate finds leaks, conflicts and duplicates by it.", ""),
    f.HEIGHT: ("Pixels. Narrow it to what you expect.", "int_domain { min: 1 }"),
    f.WIDTH: ("Pixels. Narrow it to what you expect.", "int_domain { min: 1 }"),
    f.CHANNELS: ("Bands: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha.", "int_domain { min: 1 max: 4 }"),
    f.NUM_BYTES: ("Length of the encoded image.", "int_domain { min: 1 }"),
    f.BRIGHTNESS: ("Mean luma.", "float_domain { min: 0 max: 1 disallow_nan: true disallow_inf: true }" + _COMPARED),
    f.CONTRAST: (
        "Standard deviation of luma.",
        "float_domain { min: 0 max: 0.5 disallow_nan: true disallow_inf: true }" + _COMPARED,
    ),
    f.SHARPNESS: (
        "Mean difference of luma between neighbours.",
        "float_domain { min: 0 max: 1 disallow_nan: true disallow_inf: true }" + _COMPARED,
    ),
    f.COLOURFULNESS: (
        "Hasler and Suesstrunk's; 0 is grey.",
        "float_domain { min: 0 max: 1.5 disallow_nan: true disallow_inf: true }" + _COMPARED,
    ),
}


def freeze(
    source: str | Path,
    class_names: Sequence[str],
    destination: str | Path,
    force: bool = False,
    curated: bool = False,
) -> Path:
    """Write a curated schema to edit.

    Args:
      source: the schema.pbtxt of a run, local or remote.
      class_names: all classes of the data set; they become the domain of class_name.
      destination: the file to write, schema/<data set>/schema.pbtxt by convention.
      force: whether an existing file may be replaced.
      curated: whether the run validated by a curated schema and inferred none: it is written as it is.

    Returns:
      The path of the written file.

    Raises:
      UserError: `source` cannot be read, no class is given, or `destination` exists and `force` is not set.
    """
    destination = Path(destination)
    if destination.exists() and not force:
        raise UserError(f"{destination} exists and may have been edited by hand; --force replaces it.")
    if not class_names:
        raise UserError("A schema needs at least one class name; none was given.")
    try:
        schema = schemas.read(str(source))
        text = files.read_bytes(str(source)).decode()
    except (OSError, ValueError) as error:
        raise UserError(f"{source} is not the schema of a run: {files.error_reason(error)}") from error
    if not curated:
        text = _curated(schema, sorted(class_names))
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(destination, text)
    except OSError as error:
        raise UserError(f"Cannot write {destination}: {error.strerror}.") from error
    return destination


def _curated(schema: schema_pb2.Schema, class_names: list[str]) -> str:
    inferred = {feature.name: feature for feature in schema.feature}
    blocks = [_HEADER]
    for name in [*_FEATURES, *(extra for extra in inferred if extra not in _FEATURES)]:
        if name not in inferred:
            continue
        comment, constraints = _FEATURES.get(name, ("Not in the data contract: as inferred.", ""))
        feature = inferred[name]
        feature.ClearField("domain")  # refers to a list of values that is not kept, but for class_name's, set below
        text_format.Parse(constraints, feature)
        if name == f.LABEL:
            feature.int_domain.max = len(class_names) - 1
            feature.int_domain.min = 0
        if name == f.CLASS_NAME:
            feature.domain = f.CLASS_NAME
        blocks.append(f"# {comment}\nfeature {{\n{_fields(feature)}}}\n")
    domain = schema_pb2.StringDomain(name=f.CLASS_NAME, value=class_names)
    blocks.append(f"# The classes, in the order of their labels.\n{_text(schema_pb2.Schema(string_domain=[domain]))}")
    return "\n".join(blocks)


def _fields(feature: schema_pb2.Feature) -> str:
    """Return one field per line, so that a diff shows each changed constraint."""
    lines = []
    for field, _ in feature.ListFields():
        alone = schema_pb2.Feature()
        alone.CopyFrom(feature)
        for subfield, _ in feature.ListFields():
            if subfield is not field:
                alone.ClearField(subfield.name)
        lines.append(f"  {text_format.MessageToString(alone, as_one_line=True, as_utf8=False).strip()}\n")
    return "".join(lines)


def _text(message: schema_pb2.Schema) -> str:
    text = text_format.MessageToString(message, as_utf8=True)
    # A name may hold invisible or direction-changing characters: then only ASCII is safe to read and edit.
    return text if text.replace("\n", "").isprintable() else text_format.MessageToString(message, as_utf8=False)
