"""The layers that a configuration is composed of: a preset, a YAML file, settings; how each is read."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from components.errors import UserError
from pipeline.tracking import server_url

PRESETS = Path(__file__).parent / "presets"

Layer = tuple[str, dict[str, Any]]  # its origin, for people, and its values
Settings = tuple[str | dict[str, Any], ...]  # KEY=VALUE as of --set, or values by section, as Python code gives them

RENAMED = {"folder": "small"}  # presets by the names that they had before


def read(file: str | None, settings: Settings) -> list[Layer]:
    """Return the layers above the preset, the uppermost last.

    Raises:
      UserError: the file cannot be read, or a setting is not KEY=VALUE.
    """
    layers: list[Layer] = [(file, read_yaml(Path(file)))] if file is not None else []
    for setting in settings:
        layers.append(("--set", _parse_setting(setting)) if isinstance(setting, str) else ("argument", setting))
    return layers


def value(layers: list[Layer], *keys: str) -> Any:
    """Return the uppermost value that is set under the keys of a section, or None."""
    for _, layer in reversed(layers):
        found: Any = layer
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found:
            return found
    return None


def merged(layers: list[Layer]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of all layers, and the origin of each by its dotted key."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, layer in layers:
        _merge(values, layer, origin, origins)
    return values, origins


def _merge(into: dict[str, Any], layer: dict[str, Any], origin: str, origins: dict[str, str], prefix: str = "") -> None:
    for key, value in layer.items():
        name = str(key)  # YAML makes a number of `5:`, and a truth value of `on:`
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value, origin, origins, f"{prefix}{name}.")
        else:
            into[name] = value
            origins[prefix + name] = origin


def preset_names() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def read_preset(name: str) -> dict[str, Any]:
    """Return the values of a preset, its own name among them.

    Raises:
      UserError: there is none of this name.
    """
    if name in RENAMED:  # its data had this name, unless another was given
        return {"name": "pictures"} | read_preset(RENAMED[name])
    if name not in preset_names():
        near = difflib.get_close_matches(name.lower(), preset_names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise UserError(f"unknown preset '{name}'{hint} the presets are {', '.join(preset_names())}")
    return read_yaml(PRESETS / f"{name}.yaml") | {"preset": name}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return what a YAML file holds.

    Raises:
      UserError: it cannot be read, or holds something else than keys with values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the config file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(
            f"the config file {path} is not valid YAML: {server_url.masked(' '.join(str(error).split()))}"
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"the config file {path} must hold `key: value` lines, not a {type(values).__name__}")
    return values


def _parse_setting(setting: str) -> dict[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise UserError(f"--set {server_url.masked(setting)!r}: write it as key=value, for example trainer.epochs=3")
    try:
        value: Any = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        value = text
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)
