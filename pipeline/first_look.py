"""The preset where none is named: that of the data set, or after a first look at the images.

Photos get the pretrained network at 224 pixels; icons, digits and other small images one that is small and trained from
scratch. A run directory keeps the preset of its latest training on the data: more images alone change no network.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from components.contracts import run_result
from components.example_gen.config import Data
from components.trainer import networks
from pipeline import layers
from pipeline.layers import Layer
from pipeline.output import redirect_output

SMALL, PHOTOS = "small", "photos"
PHOTO_SIDE = 96  # pixels of the median image's shorter side, from which the images are photos


class Choice(NamedTuple):
    """The preset of a run."""

    preset: str
    reason: str = ""  # what was seen of the data, and what else could be chosen; empty where the user's words decide
    fetch: bool = False  # whether the data could be looked at once it is downloaded


def choose(own: list[Layer]) -> Choice:
    """Return the preset for the layers above it, the uppermost last.

    Raises:
      UserError: there is no such data, or it cannot be read.
    """
    if named := layers.value(own, "preset"):
        return Choice(str(named))
    source = str(layers.value(own, "data", "source") or "")
    if not source:
        return Choice("digits")
    if source in layers.preset_names() and layers.value([("", layers.read_preset(source))], "data", "source") == source:
        return Choice(source)
    decided = _by_network(own)
    return Choice(decided) if decided else _by_images(own, source)


def _by_network(own: list[Layer]) -> str:
    """Return the preset for the network that is named, or that alone reads the keys that are set; else empty."""
    if network := layers.value(own, "trainer", "network"):
        return PHOTOS if networks.traits(str(network)).pretraining else SMALL
    keys = {str(key) for _, layer in own for key in (*layer.get("trainer", {}), *_space(layer))}
    fitting = [preset for preset in (SMALL, PHOTOS) if not keys & networks.settings_of_others(_network(preset)).keys()]
    return fitting[0] if len(fitting) == 1 else ""


def _space(layer: dict[str, Any]) -> Any:
    space = layer.get("tuner", {}).get("space")
    return space if isinstance(space, dict) else ()


def _network(preset: str) -> str:
    return str(layers.value([("", layers.read_preset(preset))], "trainer", "network") or networks.DEFAULT)


def _by_images(own: list[Layer], source: str) -> Choice:
    """Return the preset of the run directory's latest training on the data, else that for its images."""
    values, _ = layers.merged(own)
    try:
        data = Data.model_validate(values["data"])
    except ValidationError:  # which is explained where the layers are composed
        return Choice(SMALL)
    from components.example_gen import sources  # reads images, and takes a moment to import

    located = sources.locate(source, data.cache_dir)
    path = sources.path_now(located)
    fetch = path is None and bool(located.published or located.tfds)
    if path is None:
        fitting = ""
        seen = f"the images are {'not downloaded yet' if fetch else 'remote'}, so nothing is known of their size"
    else:
        fitting, seen = _look(located.format, path, data)
    run_dir = str(layers.value(own, "run_dir") or "output")
    name = str(layers.value(own, "name") or located.name)
    kept = _latest(run_dir, name)
    if kept and fitting and kept != fitting:
        latest = f"kept from the latest training of '{name}' in {run_dir}"
        return Choice(kept, f"{latest}; {seen}: --preset {fitting} may be better")
    preset = kept or fitting or SMALL
    return Choice(preset, f"{seen} (another: --preset {PHOTOS if preset == SMALL else SMALL})", fetch)


def _look(format_name: str, path: str, data: Data) -> tuple[str, str]:
    """Return the preset for the images of a local source, empty where none can be read, and what was seen."""
    from components.example_gen import sample
    from components.example_gen.formats.base import Features

    with redirect_output(os.devnull):  # TFRecords are read by TensorFlow, which prints messages
        looked = sample.take(format_name, path, Features(data.features.image, data.features.label), data.max_bytes)
    if not looked.sides:
        return "", f"none of the first {looked.read} images can be read" if looked.read else "there are no images"
    side = statistics.median_low(looked.sides)
    if looked.images is None:
        seen = f"the median shorter side of the first {looked.read} images is {side:,} pixels"
    else:
        seen = f"{looked.images:,} images, the median shorter side is {side:,} pixels"
    return PHOTOS if side >= PHOTO_SIDE else SMALL, seen


def _latest(run_dir: str, name: str) -> str:
    """Return the preset, one of the two, of the latest run that got to train on the data called `name`; else empty."""
    for path in sorted(Path(run_dir).glob(f"runs/*/{run_result.RESULT_FILE}"), reverse=True):
        try:
            result = run_result.read(path)
        except (OSError, ValueError):
            continue
        if result.name == name and "Trainer" in result.stages:
            preset = layers.RENAMED.get(result.preset, result.preset)
            return preset if preset in (SMALL, PHOTOS) else ""
    return ""
