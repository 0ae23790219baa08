"""A worker whose API has objects to try the boundary on: what `python -m image_pipeline.boundary.worker` is, and these.

The parent starts it by `program`, as if it were another Python.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import image_pipeline as ip
from image_pipeline.boundary import worker
from pipeline.platforms import stage_table

NAMES = (
    "bring",
    "echo",
    "fail",
    "fail_oddly",
    "folder",
    "live",
    "persist",
    "shelf",
    "spin",
    "staged",
    "start",
    "talk",
    "tensor",
)


class Shelf:
    """A row of things."""

    made = 0  # and not yet removed

    def __init__(self, *things: Any) -> None:
        self.things = things
        Shelf.made += 1

    def __del__(self) -> None:
        Shelf.made -= 1

    def __len__(self) -> int:
        return len(self.things)

    def __getitem__(self, key: int) -> Any:
        return self.things[key]

    def __contains__(self, thing: object) -> bool:
        return thing in self.things

    def __iter__(self) -> Iterator[Any]:
        return (Shelf(*thing) if isinstance(thing, list) else thing for thing in self.things)

    def __repr__(self) -> str:
        return f"Shelf{self.things}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": f"<b>{len(self)}</b>"}

    def joined(self, other: Shelf, *, times: int = 1) -> Shelf:
        """Return the things of both."""
        return Shelf(*(self.things + other.things) * times)

    @property
    def broken(self) -> str:
        raise LookupError("nothing there")


def shelf(*things: Any) -> Shelf:
    """Return a shelf."""
    return Shelf(*things)


def echo(value: Any) -> Any:
    return value


def live() -> int:
    return Shelf.made


def folder(path: Path) -> tuple[str, str]:
    return os.getcwd(), str(path.resolve())


def fail() -> None:
    error = ip.GateRefused("2 copies", [{"check": "duplicates", "count": 2}])
    error.run = Shelf("what came of it")
    raise error


def fail_oddly() -> None:
    layer = type("Layer", (), {"__module__": "keras.layers", "__repr__": lambda self: "a layer"})()
    raise ValueError(layer)


def talk() -> str:
    print("said by the API")
    os.write(1, b'{"number": 1}\nsaid by C\n')
    print("an error by Python", file=sys.stderr)
    subprocess.run(["echo", "said by a child"], check=True)
    warnings.warn("three images cannot be read", stacklevel=2)
    return "answer"


def spin(mark: Path, seconds: float = 60.0) -> str:
    """Work until the time is over or Ctrl-C."""
    mark.touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return "done"


def persist(mark: Path, heard: Path) -> None:
    """Work on, whatever comes."""
    mark.touch()
    while True:
        try:
            time.sleep(1)
        except KeyboardInterrupt:
            heard.touch()


def staged(mark: Path) -> None:
    """Show a stage that never ends."""
    with stage_table.make(["ExampleGen", "Trainer"], sys.stdout) as screen:
        screen.started("ExampleGen")
        screen.ended("ExampleGen", "done", 1.5)
        screen.started("Trainer")
        time.sleep(0.5)  # until it is shown there
        spin(mark)


def bring(folder: Path, module: str) -> None:
    """Import a module."""
    sys.path.insert(0, str(folder))
    importlib.import_module(module)


def start(mark: Path) -> None:
    """Start a process that outlives a killed worker, and wait."""
    process = subprocess.Popen(["sleep", "60"])
    mark.write_text(str(process.pid))
    spin(mark)


def tensor() -> Any:
    import tensorflow as tf

    return tf.constant([1, 2])


def program(folder: Path) -> str:
    """A program that starts this worker as a Python would start the usual one."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" -m tests.api.boundary_api "$@"\n')
    path.chmod(0o755)
    return str(path)


if __name__ == "__main__":
    worker.NEEDED = ()  # by the calls of the real API
    for name in NAMES:
        setattr(ip, name, globals()[name])
    worker.main(int(sys.argv[1]), sys.argv[2])
