"""Fingerprints of what a stage's result depends on besides its inputs and parameters: its code and its libraries.

TFX's cache key covers neither, so an edited stage would be served from a stale cache. The fingerprint is added to the
parameters of each stage, which are part of the key.

The code of a stage is the classes and functions that it names (its executor, functions among its parameters) and all
modules of this project that these import, directly or not, except those that only format messages.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import UserError
from components.versions import libraries
from pipeline import ROOT

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_node import BaseNode

CODE = "code"  # execution property of a stage on Vertex AI, see `code_of_stage`
PACKAGES = ("components", "pipeline")  # of this project
TEXTS = frozenset({"components.text"})  # only format messages: an edit must not retrain anything
_NAME = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+")


def of_stage(node: BaseNode, more_code: Iterable[str] = (), content: bytes = b"") -> str:
    """Return the fingerprint of a stage.

    Args:
      node: the stage.
      more_code: the names of modules that run in the stage besides those that it names.
      content: what its result depends on besides code.

    Raises:
      LookupError: the code is neither in this project nor in TFX: an edit of it would go unnoticed.
    """
    return of_code(_checked_names(node, more_code), content)


def code_of_stage(node: BaseNode, more_code: Iterable[str] = ()) -> str:
    """Return what `check_code` compares in another place: a hash of the stage's code, and the names that it is of."""
    names = sorted(name for name in _checked_names(node, more_code) if name.partition(".")[0] in PACKAGES)
    return " ".join([_of_files(names), *names])


def check_code(text: str) -> None:
    """Compare the code of this place with that of the place where `code_of_stage` returned `text`.

    Raises:
      UserError: it is other code, or `text` is empty. The keys of a cache would be those of code that did not run.
    """
    if not text:
        raise UserError(
            "the pipeline was compiled by an earlier version than this image's: compile it again (a schedule, too), or "
            "use the image of that version"
        )
    digest, *names = text.split()
    if _of_files(names) != digest:
        raise UserError(
            f"this image has other code than the machine that compiled the pipeline ({', '.join(names)}): rebuild the "
            "image from the code that compiles (docs/vertex.md, The image), or compile with the code of the image"
        )


def _checked_names(node: BaseNode, more_code: Iterable[str]) -> list[str]:
    names = [*_names(node), *more_code]
    for name in names:
        if not name.startswith("tfx.") and not _is_code(name):
            raise LookupError(f"the code of the stage {node.id}, {name}, is neither in this project nor in TFX")
    return names


def of_code(names: Iterable[str], content: bytes = b"") -> str:
    """Return 64 hex digits: of the modules, what they import, the versions of the libraries, and `content`."""
    digest = hashlib.sha256()
    for library, version in libraries().items():
        digest.update(f"{library} {version}\n".encode())
    digest.update(_lines_of_files(names))
    digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _of_files(names: Iterable[str]) -> str:
    return hashlib.sha256(_lines_of_files(names)).hexdigest()


def _lines_of_files(names: Iterable[str]) -> bytes:
    """Return the names and hashes of the files of the modules, a line a file."""
    hashes = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in sorted(files(names).items())}
    return "".join(f"{name} {digest}\n" for name, digest in hashes.items()).encode()


def files(names: Iterable[str]) -> dict[str, Path]:
    """Return the files of the modules, of all that they import in this project, and of the data beside those.

    Args:
      names: of modules, or of classes and functions in them; those that are not of this project have no files.

    Returns:
      Paths by the names of modules, or, of data such as templates, by their path.
    """
    sources: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        for module, file in _modules(waiting.pop()):
            if module not in sources and module not in TEXTS:
                sources[module] = file
                waiting += _imports(file.read_bytes(), module if file.stem == "__init__" else module.rpartition(".")[0])
    folders = {file.parent for file in sources.values() if file.stem != "__init__"}
    data = (path for folder in folders for path in _data(folder))
    return sources | {str(path.relative_to(ROOT)): path for path in data}


def _names(node: BaseNode) -> list[str]:
    """Return the names of a stage's code: executor, driver, and classes and functions among its parameters."""
    values = [node.driver_class, getattr(node.executor_spec, "executor_class", None), *node.exec_properties.values()]
    classes = [f"{value.__module__}.{value.__qualname__}" for value in values if isinstance(value, type)]
    return classes + [value for value in values if isinstance(value, str) and _NAME.fullmatch(value)]


def _is_code(name: str) -> bool:
    """Return whether `name` is a module, or something in a module."""
    modules = [module for module, _ in _modules(name)]
    return bool(modules) and name.count(".") - modules[-1].count(".") <= 1


def _modules(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the packages above a module, and the module, with their files: Python runs all of them on import."""
    parts = name.split(".")
    path = ROOT
    for number, part in enumerate(parts if parts[0] in PACKAGES else [], start=1):
        path = path / part
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file():
            yield ".".join(parts[:number]), file
        if not path.is_dir():
            return


@functools.cache
def _imports(source: bytes, package: str) -> frozenset[str]:
    """Return the project's modules that a module imports, lazily or not, or names in a string, as for `python -m`.

    Imports for type checkers alone do not count.
    """
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (above, node.module)))
            names |= {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
            names.add(node.value)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
    return frozenset(name for name in names if name.partition(".")[0] in PACKAGES)


def _data(folder: Path) -> Iterator[Path]:
    """Yield the data files of a package, without those of its subpackages."""
    for path in folder.iterdir():
        if path.is_dir() and not (path / "__init__.py").exists():
            yield from _data(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path
