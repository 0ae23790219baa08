"""Safe display of text: class and file names may hold any character."""


def printable(text: str, limit: int = 100) -> str:
    """Return `text` on one line, control and direction-changing characters escaped; a longer one lacks its middle."""
    text = text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
