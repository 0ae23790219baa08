"""The table of contents of a page, and an anchor at each of its headings, made from the page's own HTML."""

from __future__ import annotations

import html
import re

MARK = "<!--contents-->"  # where the table goes in base.html
FEWEST = 4  # headings: a page of fewer needs no table
_HEADING = re.compile(r"<h([234])([^>]*)>(.*?)</h\1>", re.DOTALL)
_ASIDE = re.compile(r'<span class="muted">.*?</span>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def insert(page: str) -> str:
    """Return the page with an id and a link at every heading of <main>, and the table of contents at MARK."""
    before, start, rest = page.partition("<main")
    main, end, after = rest.partition("</main>")
    taken = set(re.findall(r'\sid="([^"]*)"', page))
    entries: list[tuple[int, str, str]] = []

    def anchored(match: re.Match[str]) -> str:
        level, attributes, inner = int(match[1]), match[2], match[3]
        words = " ".join(_TAG.sub("", _ASIDE.sub("", inner)).split())
        own = re.search(r'\sid="([^"]*)"', attributes)
        key = own[1] if own else _unique(_slug(words), taken)
        entries.append((level, key, words))
        attributes = attributes if own else f'{attributes} id="{key}"'
        link = f'<a class="anchor" href="#{key}" aria-label="Link to: {words.replace(chr(34), "&quot;")}">#</a>'
        return f"<h{level}{attributes}>{inner} {link}</h{level}>"

    main = _HEADING.sub(anchored, main)
    return before.replace(MARK, _table([entry for entry in entries if entry[0] < 4])) + start + main + end + after


def _table(entries: list[tuple[int, str, str]]) -> str:
    if len(entries) < FEWEST:
        return ""
    rows = "\n".join(f'<li class="level-{level}"><a href="#{key}">{words}</a></li>' for level, key, words in entries)
    return f'<nav class="contents" aria-label="Contents"><ul>\n{rows}\n</ul></nav>'


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", html.unescape(words).lower()).strip("-")[:40] or "section"


def _unique(key: str, taken: set[str]) -> str:
    number, result = 1, key
    while result in taken:
        number += 1
        result = f"{key}-{number}"
    taken.add(result)
    return result
