"""TensorFlow's file://, for Beam too: TensorFlow, TFX and every other process know it, as they know gs://.

No path with a scheme is one to the operating system: `open` and `os.path` find nothing at file:///folder.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from apache_beam.io.filesystem import CompressedFile, CompressionTypes, FileMetadata, FileSystem


class FileUris(FileSystem):
    """Registered by being defined, as Beam's own are."""

    @classmethod
    def scheme(cls) -> str:
        return "file"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *(path.strip("/") for path in paths)])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        tf.io.gfile.makedirs(path)

    def has_dirs(self) -> bool:
        return True

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        folder = dir_or_prefix if tf.io.gfile.isdir(dir_or_prefix) else self.split(dir_or_prefix)[0]
        for here, _, names in tf.io.gfile.walk(folder.rstrip("/")):
            for name in names:
                if (path := f"{here.rstrip('/')}/{name}").startswith(dir_or_prefix):
                    yield self.metadata(path)

    def create(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> Any:
        tf.io.gfile.makedirs(self.split(path)[0])
        file = tf.io.gfile.GFile(path, "wb")
        file.write(b"")  # else an empty file is never made
        return self._packed(path, file, compression_type)

    def open(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> Any:
        with tf.io.gfile.GFile(path, "rb") as file:
            return self._packed(path, io.BytesIO(file.read()), compression_type)

    def _packed(self, path: str, file: Any, compression_type: str) -> Any:
        kind = self._get_compression_type(path, compression_type)
        if kind == CompressionTypes.UNCOMPRESSED:
            return file
        file.mode = "rb" if isinstance(file, io.BytesIO) else "wb"
        return CompressedFile(file, compression_type=kind)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names):
            tf.io.gfile.copy(source, destination, overwrite=True)

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names):
            tf.io.gfile.rename(source, destination, overwrite=True)

    def exists(self, path: str) -> bool:
        return bool(tf.io.gfile.exists(path))

    def size(self, path: str) -> int:
        return int(tf.io.gfile.stat(path).length)

    def last_updated(self, path: str) -> float:
        return float(tf.io.gfile.stat(path).mtime_nsec) / 1e9

    def checksum(self, path: str) -> str:
        return str(self.size(path))

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)
