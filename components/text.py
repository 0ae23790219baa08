"""Safe display of text: class and file names may hold any character."""


def printable(text: str, limit: int = 100) -> str:
    """On one line, control and direction-changing characters escaped, the middle left out where it is longer."""
    text = text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
