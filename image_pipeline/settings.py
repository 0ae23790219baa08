"""The configuration from keyword arguments, as the command line makes it from options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.errors import UserError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.first_look import Choice

# Sections whose keys are only set by their full names: other sections have keys of the same names.
_FULL_NAMES = ("vertex", "tuner.space", "data.features")


def load(
    data: str | os.PathLike[str] | None,
    preset: str | None,
    file: str | os.PathLike[str] | None,
    run_dir: str | os.PathLike[str] | None,
    settings: Mapping[str, Any] | None,
    keywords: Mapping[str, Any],
) -> tuple[Config, dict[str, str], Choice]:
    """Return the Config, the origin of each of its values, and how its preset was chosen.

    Args:
      data: the source of the images, `data.source`.
      preset: its name.
      file: a YAML file that overrides the preset.
      run_dir: folder of all state.
      settings: values by dotted keys.
      keywords: values by the last part of their keys, or sections as mappings; they override `settings`.

    Raises:
      UserError: an unknown key, one that several sections have, or a value that does not fit.
    """
    from pipeline import config

    layers = [_nested(key, value) for key, value in (settings or {}).items()]
    layers += [_nested(_dotted(key, value), value) for key, value in keywords.items()]
    for key, path in (("data.source", data), ("run_dir", run_dir)):
        if path is not None:
            layers.append(_nested(key, os.fspath(path)))
    path_of_file = None if file is None else os.path.expanduser(os.fspath(file))
    choice = config.choose(preset, path_of_file, tuple(layers))
    loaded, origins = config.load(choice.preset, path_of_file, tuple(layers))
    if choice.reason:
        origins["preset"] = choice.reason
    return loaded, origins, choice


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _dotted(keyword: str, value: Any) -> str:
    """Return the key that a keyword names: a section or a key at the top, else the one that ends in it.

    Raises:
      UserError: there is none, or more than one.
    """
    from components.text import did_you_mean
    from pipeline.config import Config, flatten

    if keyword in Config.model_fields:
        if isinstance(value, Mapping) != isinstance(Config().model_dump()[keyword], dict):
            raise UserError(f"{keyword}={value!r}: {_shape(keyword)}")
        return keyword
    short: dict[str, list[str]] = {}
    for key in flatten(Config().model_dump()):
        if not key.startswith(_FULL_NAMES):
            short.setdefault(key.rpartition(".")[2], []).append(key)
    keys = short.get(keyword, [])
    if len(keys) == 1:
        return keys[0]
    if keys:
        section, _, last = keys[0].rpartition(".")
        raise UserError(f"{keyword}= is {' or '.join(keys)}; write {section}={{{last!r}: …}}")
    near = did_you_mean(keyword, short)
    hint = near if near.endswith("?") else "`config()` lists all settings"
    raise UserError(f"unknown argument {keyword!r}; {hint}")


def _shape(section: str) -> str:
    from pipeline.config import Config

    keys = Config().model_dump()[section]
    if not isinstance(keys, dict):
        return "a value, not a mapping"
    return f"a section takes a mapping of its keys, as {section}={{{next(iter(keys))!r}: …}}"
