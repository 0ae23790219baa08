"""HTML that a notebook shows: a page of the project in a frame, and the parts of an object's own display."""

from __future__ import annotations

import html

COLOURS = {"pushed": "#1a7f37", "refused": "#9a6700", "failed": "#cf222e", "interrupted": "#9a6700"}

# A page in a frame has no neighbours on the disk: what only leads to them is hidden, the rest of a line is kept.
_FRAMED = "<base href='about:srcdoc'>"


def embedded(page: str, height: int = 640) -> str:
    """Return a frame that holds a whole page.

    Args:
      page: self-contained HTML.
      height: of the frame, in CSS pixels.
    """
    page = page.replace("<head>", f"<head>{_FRAMED}", 1)
    return (
        f'<iframe srcdoc="{html.escape(page, quote=True)}" '
        f'style="width:100%;height:{height}px;border:1px solid #8884;border-radius:6px" loading="lazy"></iframe>'
    )


def bundle(text: str, markup: str) -> dict[str, str]:
    """Return what IPython asks of an object that is shown: its text and its HTML."""
    return {"text/plain": text, "text/html": markup}
