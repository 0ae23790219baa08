"""HTML that a notebook shows: a page of the project in a frame, and the parts of an object's own display."""

from __future__ import annotations

import html

COLOURS = {"pushed": "#1a7f37", "refused": "#9a6700", "failed": "#cf222e", "interrupted": "#9a6700"}

# Of a page in a frame: links to its own headings stay in it; there are no files beside it that other links could open.
_FRAMED = """<base href="about:srcdoc"><style>
a[href]:not([href^="#"]):not([href*="://"]) {pointer-events: none; color: inherit; text-decoration: none}
nav a[href]:not([href^="#"]):not([href*="://"]) {display: none}
</style>"""


def embedded(page: str, height: int = 640) -> str:
    """Return a frame that holds a whole page.

    Args:
      page: self-contained HTML.
      height: of the frame, in CSS pixels.
    """
    # Before its Content-Security-Policy, which forbids a base.
    page = page.replace("<head>", f"<head>{_FRAMED}", 1)
    return (
        f'<iframe srcdoc="{html.escape(page, quote=True)}" '
        f'style="width:100%;height:{height}px;border:1px solid #8884;border-radius:6px" loading="lazy"></iframe>'
    )


def bundle(text: str, markup: str) -> dict[str, str]:
    """Return what IPython asks of an object that is shown: its text and its HTML."""
    return {"text/plain": text, "text/html": markup}
