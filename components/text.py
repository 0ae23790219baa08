"""Safe display of text, and the known word that is nearest to one that is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def printable(text: str, limit: int = 100) -> str:
    """Return `text` on one line, control and direction-changing characters escaped; a longer one lacks its middle."""
    text = text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean X?" for the most similar of the known words, whatever the case; else a list of them."""
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return f"did you mean {by_lower_case[near[0]]}?" if near else f"known: {', '.join(by_lower_case.values())}"
