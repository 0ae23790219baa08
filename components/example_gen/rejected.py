"""The exception for an image that cannot be used; the run continues without it."""


class Rejected(Exception):  # noqa: N818
    """The image cannot be used; `reason` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
