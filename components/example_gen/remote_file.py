"""A remote file as one of Python's: what Arrow reads has more methods than what TensorFlow gives."""

from __future__ import annotations

import io
from typing import IO, Any


class RemoteFile(io.RawIOBase):
    """Reads a file that TensorFlow opened."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
