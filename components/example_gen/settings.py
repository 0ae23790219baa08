"""The settings that cross from the component to its driver and executor, within TFX's custom_config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf import json_format, struct_pb2
from tfx.proto import example_gen_pb2


class Settings(NamedTuple):
    format: str  # the name of one of formats.FORMATS
    shares: dict[str, float]  # split: its share of the images
    max_bytes: int  # of one encoded image
    max_pixels: int  # of one decoded image
    image: str = ""  # the feature or column that holds the image; the usual names are tried if empty
    label: str = ""  # and the one that holds its class
    drop: Sequence[str] = ()  # kinds of findings whose images are left out: see copies.py
    max_side: int | None = None  # of an image as it is stored; any if None


def pack(settings: Settings) -> example_gen_pb2.CustomConfig:
    """Pack the settings; the format is called `kind` there, as it was in runs before."""
    fields = settings._asdict()
    struct = struct_pb2.Struct()
    struct.update({"kind": fields.pop("format"), **fields, "drop": list(settings.drop)})
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(struct)
    return config


def unpack(custom_config: str) -> Settings:
    """Unpack the execution property, CustomConfig as JSON."""
    config = json_format.Parse(custom_config, example_gen_pb2.CustomConfig())
    struct = struct_pb2.Struct()
    config.custom_config.Unpack(struct)
    fields = json.loads(json_format.MessageToJson(struct))
    max_bytes, max_pixels = (int(fields[name]) for name in ("max_bytes", "max_pixels"))
    # Specs of earlier versions lack these.
    drop, max_side = tuple(fields.get("drop", ())), fields.get("max_side")
    return Settings(
        fields["kind"],
        fields["shares"],
        max_bytes,
        max_pixels,
        fields["image"],
        fields["label"],
        drop,
        None if max_side is None else int(max_side),
    )
