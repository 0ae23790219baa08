"""`predict`: classes and probabilities of picture files, from the latest pushed model, as a client would ask it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components import features
from components.errors import UserError
from components.files import exists, is_description, is_folder, walk
from components.imports import uncollected
from pipeline import metadata
from pipeline.config import Config
from pipeline.output import all_output_to

BATCH = 256


def run(config: Config, paths: list[str], name: str | None, model: str | None, top: int, as_json: bool) -> int:
    """Print the classes of every picture; 0, or 2 where a file among them could not be read.

    Args:
      name: of the pushed model; of any if None.
      model: the folder of one, wherever it was pushed; the latest that ML Metadata knows if None.
    """
    files = _files(paths)
    if model is not None and not exists(f"{model}/saved_model.pb"):
        raise UserError(f"--model {model}: there is no SavedModel; name the folder of a version, .../NAME/VERSION")
    model_path = model or latest_pushed(config, name)
    from components.example_gen import pictures

    with all_output_to(os.devnull):
        with uncollected():
            import tensorflow as tf
        serve = tf.saved_model.load(model_path).signatures[features.SERVE_IMAGES]
    failed = False
    for chunk in _chunks(files):
        readable: list[tuple[Path, bytes]] = []
        for file in chunk:
            try:
                readable.append(
                    (file, pictures.servable(file.read_bytes(), config.data.max_bytes, config.data.max_pixels))
                )
            except (OSError, pictures.Rejected) as error:
                failed = True
                print(f"error: {file}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        if not readable:
            continue
        answers = serve(tf.constant([picture for _, picture in readable]))
        classes = [text.decode() for text in answers[features.CLASS_NAMES].numpy()[0]]
        for (file, _), row in zip(readable, answers[features.PROBABILITIES].numpy()):
            _show(file, {classes[i]: float(row[i]) for i in row.argsort()[::-1]}, top, as_json)
    return 2 if failed else 0


def latest_pushed(config: Config, name: str | None) -> str:
    """The folder of the newest pushed version that is still there.

    Raises:
      UserError: there is none.
    """
    if metadata.exists(config):
        store = metadata.open_store(config)
        for artifact in sorted(store.get_artifacts_by_type("PushedModel"), key=lambda a: a.id, reverse=True):
            path = metadata.property_value(artifact, "pushed_destination")
            if path and (name is None or Path(path).parent.name == name) and is_folder(path):
                return str(path)
    which = f" named '{name}'" if name else ""
    raise UserError(f"no pushed model{which} in {config.run_dir}; push one with `python -m pipeline run`")


def _files(paths: list[str]) -> list[Path]:
    """The files named, and for a folder what `run` would read of it, in the order of their names."""
    files: list[Path] = []
    for text in paths:
        path = Path(text)
        if path.is_dir():
            below = [name for name in walk(text)[0] if not is_description(name)]
            if not below:
                raise UserError(f"{text}: the folder holds no image")
            files += [path / name for name in below]
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"{text}: no such file or folder")
    return files


def _chunks(files: list[Path]) -> Iterator[list[Path]]:
    for start in range(0, len(files), BATCH):
        yield files[start : start + BATCH]


def _show(file: Path, probabilities: dict[str, float], top: int, as_json: bool) -> None:
    best = next(iter(probabilities))
    if as_json:
        answer: dict[str, Any] = {"path": str(file), "class": best, "probabilities": probabilities}
        print(json.dumps(answer, ensure_ascii=False))
        return
    shown = "  ".join(f"{name} {p:.1%}" for name, p in list(probabilities.items())[:top])
    print(f"{file}: {shown}")
