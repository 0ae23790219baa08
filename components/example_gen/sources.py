"""The source that `data.source` names: located, checked and described without reading the images.

Imports nothing heavy: the command line checks its arguments with this.
"""

from __future__ import annotations

import difflib
import glob
import os
import re
import unicodedata

from components import files
from components.errors import UserError
from components.example_gen.archives import file_types
from components.example_gen.download import Progress, download, verify
from components.example_gen.formats import detect
from components.example_gen.formats.base import Format, Listing, Source
from components.file_names import TABLE_ENDINGS
from components.text import printable

# TFX's placeholders for spans and versions, in a path: {SPAN}, {SPAN:8}, {VERSION}, or a date.
_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::\d+)?\}")
_PLACEHOLDERS = (["SPAN"], ["SPAN", "VERSION"], ["DD", "MM", "YYYY"], ["DD", "MM", "VERSION", "YYYY"])


def locate(source: str, cache_dir: str) -> Source:
    """Describe the data set or path that the user gives as the source, which may also be a pattern of files.

    Lists folders and looks into the beginning of files; does not download. The format of a remote path (gs://) follows
    from its name; it is accessed when the run starts.

    Raises:
      UserError: there is nothing there, or nothing that can be data.
    """
    source_format = detect.by_dataset(source)
    if source_format and source_format.dataset:
        return source_format.dataset(os.path.abspath(os.path.expanduser(cache_dir)))
    if not source.strip():
        raise UserError(f"data.source is empty. Give {detect.expected()}.")
    _check_scheme(source)
    path = source if files.is_remote(source) else os.path.abspath(os.path.expanduser(source))
    placeholder = _PLACEHOLDER.search(path)
    if placeholder and sorted(_PLACEHOLDER.findall(path)) not in _PLACEHOLDERS:
        raise UserError(
            f"{files.text(source)}: its placeholders are not {{SPAN}}, or {{YYYY}}, {{MM}} and {{DD}}, each once, "
            "and at most one {VERSION} with them."
        )
    base, pattern = _split_at(path, placeholder.start()) if placeholder else os.path.split(path.rstrip("/"))
    named = base if placeholder else path
    if files.is_remote(path):
        return Source(detect.of_name(path).name, _slug(named), base, pattern)
    if placeholder:
        return Source(_format(_newest(path, source)).name, _slug(named), base, pattern)
    if not os.path.lexists(path) and glob.has_magic(path):
        listing = Listing.at(path)
        base, pattern = files.split_pattern(path)
        return Source(_checked(detect.of_pattern(listing), listing).name, _slug(base), base, pattern)
    source_format = _format(path)
    return Source(source_format.name, source_format.name if source_format.dataset else _slug(path), base, pattern)


def fetch(source: Source, progress: Progress | None = None) -> None:
    """Download the source where it has to be downloaded, and verify it; once, when the run starts.

    Raises:
      UserError: it cannot be had, or the file in the cache is not the published one.
    """
    if source.published is None:
        return
    if not os.path.exists(source.path):
        download(source.published, source.path, progress)
    else:
        verify(source.path, source.published)


def _check_scheme(source: str) -> None:
    scheme, separator, _ = source.partition("://")
    if not separator or scheme.casefold() in files.SCHEMES:
        return
    title = printable(files.text(source))
    if scheme.casefold() in ("http", "https", "ftp"):
        raise UserError(f"{title}: data is not downloaded from a URL. Download it, and give the path of what comes.")
    raise UserError(
        f"{title}: this installation reads no {printable(scheme)}:// paths, only local ones, gs:// and file://. "
        "Copy the data to one of these."
    )


def _split_at(path: str, placeholder: int) -> tuple[str, str]:
    """Return (the folders before the first placeholder, the rest)."""
    base_end = path.rindex("/", 0, placeholder)
    return path[:base_end], path[base_end + 1 :]


def _newest(path: str, source: str) -> str:
    matches = glob.glob(_PLACEHOLDER.sub("*", path))
    if not matches:
        raise UserError(f"{files.text(source)}: nothing matches, whatever number stands for the placeholder.")
    return max(matches)


def _format(path: str) -> Format:
    """Return the format of a local path by its content."""
    title = files.text(path)
    if not os.path.exists(path):
        close = difflib.get_close_matches(os.path.basename(path), detect.datasets(), n=1, cutoff=0.7)
        hint = f"Did you mean {close[0]}?" if close else f"Give {detect.expected()}."
        raise UserError(f"{title}: there is no such file or folder. {hint}")
    if not os.path.isdir(path) and not os.path.isfile(path):
        raise UserError(f"{title}: neither a file nor a folder. Give {detect.expected()}.")
    try:
        listing = Listing.at(path)
    except OSError as error:
        where = files.text(error.filename or path)
        raise UserError(f"{where}: cannot be read ({error.strerror or error}).") from error
    return _checked(detect.of_folder(listing) if listing.is_folder else detect.of_file(path), listing)


def _checked(source_format: Format, listing: Listing) -> Format:
    source_format.check(listing)
    return source_format


def _slug(path: str) -> str:
    """Return a path's last part as a name of letters, digits, dots, dashes and underscores."""
    stem = TABLE_ENDINGS.sub("", file_types.ENDINGS.sub("", path.rstrip("/").rsplit("/", 1)[-1]))
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-._") or "pictures"
