"""The schema, as SchemaGen writes it, and the anomalies of each split, as ExampleValidator writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import files

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

# The names are TFX's.
SCHEMA_FILE = "schema.pbtxt"
ANOMALIES_FILE = "SchemaDiff.pb"  # in the folder of each split


def path(schema: str) -> str:
    """Return the path of the schema in the artifact at `schema`."""
    return f"{schema}/{SCHEMA_FILE}"


def read(path: str) -> Schema:
    """Read a schema, of a run or a curated one.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is not the text of a schema.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        return text_format.Parse(files.read_bytes(path).decode(), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ValueError(str(error)) from None


def anomalies_path(anomalies: str, split: str) -> str:
    """Return the path of the anomalies of a split in the artifact at `anomalies`."""
    return f"{anomalies}/Split-{split}/{ANOMALIES_FILE}"


def read_anomalies(path: str) -> Anomalies:
    """Read the anomalies of a split."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    return anomalies_pb2.Anomalies.FromString(files.read_bytes(path))
