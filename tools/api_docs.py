"""The text of docs/api.md: the public names of `image_pipeline`, from their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")
TITLES = {"Args": "Arguments"}


def markdown(module: ModuleType) -> str:
    """Return a section for each name of `__all__`, the functions first, then the classes with their members."""
    documented = [(name, getattr(module, name)) for name in module.__all__]
    parts = [prose(inspect.getdoc(module) or "")]
    for kind in ("Functions", "Classes", "Exceptions"):
        parts.append(f"## {kind}")
        for name, value in documented:
            if kind_of(value) == kind:
                parts += [f"### `ip.{signature(name, value)}`", prose(inspect.getdoc(value) or "")]
                if kind != "Functions":
                    parts += [*inherited(value), *members(value)]
    return "\n\n".join(part for part in parts if part) + "\n"


def kind_of(value: Any) -> str:
    if not inspect.isclass(value):
        return "Functions"
    return "Exceptions" if issubclass(value, BaseException) else "Classes"


def inherited(owner: type) -> Iterator[str]:
    """Yield the section `Attributes` of each class of this project that a class inherits from."""
    for base in owner.__mro__[1:]:
        if base.__module__.partition(".")[0] in ("components", "image_pipeline"):
            _, found, attributes = (inspect.getdoc(base) or "").partition("Attributes:\n")
            yield prose(found + attributes)


def members(owner: type) -> Iterator[str]:
    """Yield what is documented of each public attribute and method of a class, in the order of the source."""
    for name, value in vars(owner).items():
        raw = inspect.unwrap(getattr(value, "func", None) or getattr(value, "fget", None) or value)
        text = inspect.getdoc(raw) if callable(raw) else None
        if name.startswith("_") or not text:
            continue
        called = value is raw or isinstance(value, staticmethod | classmethod)
        yield f"**`{owner.__name__}.{signature(name, raw) if called else _attribute(name, raw)}`**"
        yield prose(text)


def _attribute(name: str, getter: Any) -> str:
    annotation = inspect.signature(getter).return_annotation
    return name if annotation is inspect.Signature.empty else f"{name}: {annotation}"


def signature(name: str, value: Any) -> str:
    """Return a call with its arguments and defaults, without their types; of a class that is not called the name."""
    if inspect.isclass(value):
        return name
    found = inspect.signature(value)
    arguments = [
        argument.replace(annotation=inspect.Parameter.empty)
        for argument in found.parameters.values()
        if argument.name != "self"
    ]
    return f"{name}{found.replace(parameters=arguments, return_annotation=inspect.Signature.empty)}"


def prose(docstring: str) -> str:
    """Return a docstring in Google style as Markdown: its sections become lists."""
    parts = re.split(rf"^({'|'.join(SECTIONS)}):\n", docstring, flags=re.MULTILINE)
    texts = [parts[0].strip()]
    for title, body in zip(parts[1::2], parts[2::2]):
        section, _, rest = body.partition("\n\n")
        if title in ("Returns", "Yields"):
            texts.append(f"{title}: {' '.join(section.split())}")
        else:
            texts.append("\n".join([f"{TITLES.get(title, title)}:", "", *_items(section)]))
        texts.append(inspect.cleandoc(rest))
    return "\n\n".join(text for text in texts if text)


def _items(section: str) -> Iterator[str]:
    """Yield a line for each `name: text` of a section, whose further lines are indented more."""
    lines = textwrap.dedent(section).strip().splitlines()
    for entry in re.split(r"\n(?! )", "\n".join(lines)):
        name, colon, text = " ".join(entry.split()).partition(": ")
        yield f"- `{name}`: {text}" if colon else f"- {name}"
