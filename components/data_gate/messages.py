"""The wording of findings: one line each, safe to print whatever the names of files and classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from components.contracts.findings import CONFLICTS, DROP, STOP, WARN, Finding

SHOWN = 5  # examples in a message


def finding(
    kind: str,
    action: str,
    message: str,
    advice: str,
    count: int,
    examples: Sequence[dict[str, Any]] = (),
    summary: str = "",
) -> Finding:
    """Return a finding whose message is `message`, a sentence, then `advice`, a sentence without its full stop.

    Of images that should have been dropped and are still there the action is "stop". `summary` is `message` without
    the examples, where it has some.
    """
    # Left by an ExampleGen that ran with another setting; or of a conflict that is not to be dropped.
    settings = " and ".join(f"gate.{each}={DROP}" for each in sorted({CONFLICTS, kind}))
    way_out = {STOP: f", or set gate.{kind}={WARN}", DROP: f", or run from ExampleGen with {settings}"}.get(action, "")
    what_to_do = f" {advice}{way_out}."
    return Finding(
        kind,
        STOP if action == DROP else action,
        message + what_to_do,
        count,
        examples,
        (summary or message) + what_to_do,
    )


def quote(name: str) -> str:
    """Return the name in quotes, on one line: control, invisible and direction-changing characters are escaped."""
    return repr(name if len(name) <= 200 else f"{name[:80]}…{name[-100:]}")


def one_line(text: str) -> str:
    """Return a library's text, which may contain names, with the same characters escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text.strip())


def for_example(words: Iterable[str]) -> str:
    """Return ", e.g. a; b", or nothing where there is no example."""
    few = [word for word, _ in zip(words, range(SHOWN))]
    return f", e.g. {'; '.join(few)}" if few else ""


def image_count(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
