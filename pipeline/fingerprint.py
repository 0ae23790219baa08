"""What a stage's result depends on besides its inputs and parameters: its code and the libraries that it runs on.

TFX's cache key covers neither, so an edited stage would be served from a stale cache. The fingerprint is added to the
parameters of each stage, which are part of the key.
"""

from __future__ import annotations

import hashlib
import re
from importlib import metadata
from pathlib import Path

from components.versions import LIBRARIES

COMPONENTS = Path(__file__).resolve().parent.parent / "components"


def of_stage(name: str, *more: bytes) -> str:
    """64 hex digits: of the code in the stage's folder and beside it, the libraries' versions, and `more`."""
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library} {metadata.version(library)}\n".encode())
    name = "Trainer" if name == "Tuner" else name  # which trains with the same code
    folder = COMPONENTS / re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    # None for the stages that are TFX's own; the report's templates are code too.
    own = sorted(file for file in folder.rglob("*.*") if file.suffix != ".pyc")
    if own:
        own += sorted([*COMPONENTS.glob("*.py"), *COMPONENTS.glob("contracts/*.py")])  # what all stages share
    for file in own:
        digest.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    for content in more:
        digest.update(f"{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
