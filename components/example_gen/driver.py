"""The driver behind ImageExampleGen: resolves spans and versions as TFX does, and fingerprints content.

TFX's fingerprint covers sizes and times: it misses an edit within a second that keeps the size, and changes after a
`touch`. This one covers the names and bytes of all files at the source's path, and of those that they name; the
executor reads no others.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tfx.components.example_gen import driver, input_processor
from tfx.types import standard_component_specs

from components import files
from components.errors import UserError
from components.example_gen import settings
from components.example_gen.formats import detect
from components.example_gen.formats.base import USUAL, Features, Listing

_BLOCK = 1 << 20
_REQUESTS = 32  # at a time to an object store, where each file takes many milliseconds


def fingerprint(path: str, format_name: str = "", features: Features = USUAL) -> str:
    """Return a hash of the names, within the source, and the bytes of all its files.

    Args:
      path: of the source.
      format_name: of its format, which knows what other files it names; it names none if not given.
      features: the user's names, by which it names them.

    Raises:
      UserError: there are none, or one cannot be read.
    """
    try:
        listing = Listing.at(path)
    except OSError as error:
        raise UserError(f"{files.text(path)}: cannot be read ({files.error_reason(error)}).") from error
    if not listing.names:
        raise UserError(f"{files.text(path)}: no files there.")
    paths = [(name, listing.path_of(name)) for name in listing.names]
    if format_name:
        paths += sorted(detect.chosen(format_name, listing).referenced(listing, features).items())
    total = hashlib.sha256()
    with ThreadPoolExecutor(_REQUESTS) as pool:
        read = pool.map if files.is_remote(path) else map
        for (name, _), digest in zip(paths, read(_digest, (path for _, path in paths))):
            total.update(os.fsencode(name) + b"\0" + digest)
    return f"sha256:{total.hexdigest()},num_files:{len(paths)}"


def _digest(path: str) -> bytes:
    """Hash the content, or the reason why it cannot be read: the executor rejects the file by name."""
    try:
        content = files.read_bytes(path, _BLOCK)
        return hashlib.sha256(content).digest() if len(content) <= _BLOCK else bytes.fromhex(files.sha256(path))
    except OSError as error:
        return f"cannot be read: {error.strerror}".encode()
    except ValueError:  # a table may name a file by what no file can be called
        return b"cannot be read"


class InputProcessor(input_processor.FileBasedInputProcessor):
    """TFX's with another fingerprint; [ and * in the name of an existing file are not a pattern."""

    def __init__(self, input_base: str, splits: Any, range_config: Any, configured: settings.Settings) -> None:
        super().__init__(input_base, splits, range_config)
        self._configured = configured

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        if not (self._is_match_span or self._is_match_date):
            return 0, None
        try:
            return super().resolve_span_and_version()
        except ValueError as error:
            pattern = os.path.join(self._input_base_uri, self._splits[0].pattern)
            raise UserError(f"{pattern}: no span found in the names there ({error}).") from error

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        pattern = self.get_pattern_for_span_version(self._splits[0].pattern, span, version)
        features = Features(self._configured.image, self._configured.label)
        return fingerprint(os.path.join(self._input_base_uri, pattern), self._configured.format, features)


class Driver(driver.FileBasedDriver):
    """FileBasedDriver with a fingerprint of content."""

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], pipeline_info: Any, component_info: Any
    ) -> dict[str, Any]:
        self._configured = settings.unpack(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        return super().resolve_exec_properties(exec_properties, pipeline_info, component_info)

    def get_input_processor(
        self, splits: Any, range_config: Any = None, input_base_uri: str | None = None
    ) -> input_processor.InputProcessor:
        return InputProcessor(input_base_uri or "", splits, range_config, self._configured)
