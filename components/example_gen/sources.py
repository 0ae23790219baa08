"""The source that `data.source` names: located, fetched, checked and described without reading the images.

Imports nothing heavy: the command line checks its arguments with this.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
import re
import unicodedata
import urllib.parse

from components import files
from components.download import Progress, Published, download, verify
from components.errors import UserError
from components.example_gen import tfds
from components.example_gen.archives import file_types
from components.example_gen.formats import detect, folder, table, tfrecords
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
    if source.startswith(tfds.PREFIX):
        name = source.removeprefix(tfds.PREFIX)
        own = tfds.folder_name(name)
        base = os.path.join(os.path.abspath(os.path.expanduser(cache_dir)), "tfds")
        return Source(tfrecords.FORMAT.name, own, base, own, tfds=name)
    if is_url(source):
        return _of_url(source, os.path.abspath(os.path.expanduser(cache_dir)))
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


def path_now(source: Source) -> str | None:
    """Return the local path at which the data lies now; None if it is remote, or is not there before the run.

    Raises:
      UserError: no span is there.
    """
    if files.is_remote(source.path):
        return None
    if (source.published or source.tfds) and not os.path.exists(source.path):
        return None
    return _newest(source.path, source.path) if _PLACEHOLDER.search(source.path) else source.path


def fetch(source: Source, progress: Progress | None = None) -> list[str]:
    """Download the source where it has to be downloaded, and verify it; once, when the run starts.

    Returns:
      What the user should know of it, a line each.

    Raises:
      UserError: it cannot be had, the file in the cache is not the published one, or what came is no source.
    """
    if source.tfds:
        if progress:
            progress(0, 0)
        return [f"{tfds.PREFIX}{source.tfds} is read from {files.text(tfds.prepare(source.tfds, source.path))}"]
    published = source.published
    if published is None:
        return []
    fresh = not os.path.exists(source.path)
    if fresh:
        download(published, source.path, progress)
    elif published.sha256:
        verify(source.path, published)
    if source.format == folder.FORMAT.name:  # what a URL leads to: its content tells
        _check_download(source, published, fresh)
    if published.sha256:
        return [source.note] if source.note else []
    if not fresh:
        return [f"{published.title} was downloaded before: {source.path}"]
    return [
        f"{published.title}: {files.size(source.path):,} bytes, of unknown hash. To have them checked, end the "
        f"address in #sha256={files.sha256(source.path)}"
    ]


def _check_download(source: Source, published: Published, fresh: bool) -> None:
    """Raise UserError if what a URL led to is no source; a file that was downloaded just now is removed then."""
    try:
        if detect.of_file(source.path) is not table.FORMAT:
            return
        reason = "it is a table, and the images that it names are not downloaded"
    except UserError as error:
        reason = str(error).removeprefix(f"{files.text(source.path)}: ").partition(". Give ")[0].rstrip(".")
    if fresh:
        os.unlink(source.path)
    what_to_do = "it was not kept" if fresh else f"delete {source.path} to download it again"
    raise UserError(
        f"{published.title}: what was downloaded is no archive, Parquet or TFRecords ({reason}); {what_to_do}. "
        "Give the address of such a file."
    )


def _of_url(source: str, cache_dir: str) -> Source:
    """Describe the file that a URL leads to, in a folder of the cache of its own."""
    url, _, fragment = source.partition("#")
    title = printable(files.text(url.partition("?")[0]))
    digest = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if fragment and not digest:
        raise UserError(f"{title}: what follows its # is not sha256= and 64 hex digits. Correct it, or leave it out.")
    try:
        parts = urllib.parse.urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        host = user = None
    if not host:
        raise UserError(f"{title}: not a URL of a file. Give one like https://example.com/pets.zip.")
    if user is not None:
        raise UserError(f"a URL on {printable(host)}: it holds a user name, and is not downloaded. Download the file.")
    last = urllib.parse.unquote(parts.path.rstrip("/").rpartition("/")[2])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-") or "download"
    own = os.path.join(cache_dir, "urls", hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16])
    quoted = urllib.parse.quote(url.encode("utf-8", "surrogateescape"), safe="/:?&=%~+,;@!$'()*[]")
    published = Published(quoted, digest[1].lower() if digest else "")
    return Source(folder.FORMAT.name, _slug(last or host), own, name, published)


def is_url(source: str) -> bool:
    """Return whether the source is a file that is downloaded."""
    return _scheme(source) in ("http", "https")


def _scheme(source: str) -> str:
    scheme, separator, _ = source.partition("://")
    return scheme.casefold() if separator else ""


def _check_scheme(source: str) -> None:
    scheme = _scheme(source)
    if not scheme or scheme in files.SCHEMES:
        return
    raise UserError(
        f"{printable(files.text(source))}: this installation reads no {printable(scheme)}:// paths, only local ones, "
        "gs://, file://, http:// and https://. Copy the data to one of these."
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
    """Return a path's last part as a name of ASCII letters, digits, dots, dashes and underscores.

    What is lost of another script goes into a hash at its end, so that the name is not that of another folder.
    """
    stem = TABLE_ENDINGS.sub("", file_types.ENDINGS.sub("", path.rstrip("/").rsplit("/", 1)[-1]))
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-._")
    if name and stem.isascii():
        return name
    content = unicodedata.normalize("NFC", stem).encode("utf-8", "surrogateescape")  # macOS writes NFD
    return f"{name or 'images'}-{hashlib.sha256(content).hexdigest()[:8]}"
