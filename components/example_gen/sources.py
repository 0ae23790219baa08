"""What the user means by `data.source`: found, checked and described without reading the pictures.

Imports nothing heavy: the command line checks its arguments with this.
"""

from __future__ import annotations

import dataclasses
import difflib
import glob
import importlib.util
import itertools
import os
import re
import unicodedata
from pathlib import Path
from typing import Literal

from components import files
from components.errors import UserError
from components.example_gen import cifar, contents, formats, layout, tars
from components.example_gen.download import Progress, Published, download, verify
from components.names import printable

Kind = Literal["digits", "cifar10", "folder", "archive", "tfrecords"]

# TFX's placeholders for spans and versions, in a path: {SPAN}, {SPAN:8}, {VERSION}, or a date.
_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::\d+)?\}")
_PLACEHOLDERS = (["SPAN"], ["SPAN", "VERSION"], ["DD", "MM", "YYYY"], ["DD", "MM", "VERSION", "YYYY"])
_LOOK_AT = 100  # members of an archive that are looked at to tell what it is


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the pictures are: `pattern` below `input_base`, with TFX's placeholders in it where spans are used."""

    kind: Kind
    name: str  # of the data set: a safe default for the model's name
    input_base: str
    pattern: str
    published: Published | None = None  # has to be at input_base/pattern before the run: see `fetch`

    @property
    def path(self) -> str:
        return os.path.join(self.input_base, self.pattern)


def locate(source: str, cache_dir: str) -> Source:
    """Describes `digits`, `cifar10`, or the path of a folder, an archive or TFRecords (also a pattern of them).

    Lists folders and looks into the beginning of archives; does not download. Remote paths (gs://) are told apart by
    their ending, and looked at when the run starts.

    Raises:
      UserError: there is nothing there, or nothing that can be data.
    """
    if source == "digits":
        return _digits()
    if source == "cifar10":
        return _cifar10(os.path.abspath(os.path.expanduser(cache_dir)))
    if not source.strip():
        raise UserError("data.source is empty. Give digits, cifar10, or the path of a folder, an archive or TFRecords.")
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
        return Source(_kind_by_name(path), _slug(named), base, pattern)
    if placeholder:
        return Source(_kind(_newest(path, source)), _slug(named), base, pattern)
    if not os.path.lexists(path) and glob.has_magic(path):
        return _pattern(path, files.text(source))
    kind = _kind(path)
    return Source(kind, "cifar10" if kind == "cifar10" else _slug(path), base, pattern)


def fetch(source: Source, progress: Progress | None = None) -> None:
    """Downloads the source where it has to be downloaded, and verifies it; once, when the run starts.

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
    what = printable(files.text(source))
    if scheme.casefold() in ("http", "https", "ftp"):
        raise UserError(f"{what}: data is not downloaded from a URL. Download it, and give the path of what comes.")
    raise UserError(
        f"{what}: this installation reads no {printable(scheme)}:// paths, only local ones, gs:// and file://. "
        "Copy the data to one of these."
    )


def _digits() -> Source:
    spec = importlib.util.find_spec("sklearn")  # does not import it: that takes a second
    for folder in (spec and spec.submodule_search_locations) or ():
        data = Path(folder, "datasets", "data")
        if (data / "digits.csv.gz").is_file():
            return Source("digits", "digits", str(data), "digits.csv.gz")
    raise UserError("digits: scikit-learn's digits.csv.gz is not in this environment. Install scikit-learn.")


def _cifar10(cache_dir: str) -> Source:
    """The archive that is in the cache, the binary one before the python one; else the binary one, yet to come."""
    for published in (cifar.BINARY, cifar.PYTHON):
        if os.path.exists(os.path.join(cache_dir, published.file_name)):
            return Source("cifar10", "cifar10", cache_dir, published.file_name, published)
    return Source("cifar10", "cifar10", cache_dir, cifar.BINARY.file_name, cifar.BINARY)


def _split_at(path: str, placeholder: int) -> tuple[str, str]:
    """(the folders before the first placeholder, the rest)"""
    base_end = path.rindex("/", 0, placeholder)
    return path[:base_end], path[base_end + 1 :]


def _pattern(path: str, what: str) -> Source:
    """The TFRecords that a pattern names."""
    matches = [path for name, path in files.matches(path).items() if not files.is_description(name)]
    if not matches:
        raise UserError(f"{what}: no file matches.")
    for match in matches:
        if os.path.isdir(match) or not files.is_records(match):
            raise UserError(
                f"{what}: a pattern can only name TFRecords, and it matches {files.shown([match])}. "
                "Of images or an archive, give one folder or file."
            )
    base, pattern = files.split_pattern(path)
    return Source("tfrecords", _slug(base), base, pattern)


def _newest(path: str, source: str) -> str:
    matches = glob.glob(_PLACEHOLDER.sub("*", path))
    if not matches:
        raise UserError(f"{files.text(source)}: nothing matches, whatever number stands for the placeholder.")
    return max(matches)


def _kind_by_name(path: str) -> Kind:
    if files.is_records(path):
        return "tfrecords"
    if not formats.ENDINGS.search(path):
        return "folder"
    return "cifar10" if os.path.basename(path) in (cifar.BINARY.file_name, cifar.PYTHON.file_name) else "archive"


def _kind(path: str) -> Kind:
    """What a local path is, by what is in it."""
    if os.path.isdir(path):
        return _folder_kind(path)
    what = files.text(path)
    if not os.path.exists(path):
        close = difflib.get_close_matches(os.path.basename(path), ["digits", "cifar10"], n=1, cutoff=0.7)
        hint = (
            f"Did you mean {close[0]}?"
            if close
            else "Give digits, cifar10, or the path of a folder, an archive or TFRecords."
        )
        raise UserError(f"{what}: there is no such file or folder. {hint}")
    if not os.path.isfile(path):
        raise UserError(f"{what}: neither a file nor a folder. Give the path of a folder, an archive or TFRecords.")
    try:
        if not os.path.getsize(path):
            raise UserError(f"{what}: the file is empty.")
        form = formats.form(path)
        if form is None and not files.is_records(path):
            raise formats.refusal(path)
    except OSError as error:
        raise UserError(f"{what}: cannot be read ({error.strerror or error}).") from error
    if form is None:
        return "tfrecords"
    return "archive" if form == "zip" else _tar_kind(path)


def _tar_kind(path: str) -> Kind:
    with formats.damage_named(path), tars.open_tar(path) as tar:
        found = any(cifar.is_member(member.name) for member in itertools.islice(tar, _LOOK_AT))
    return "cifar10" if found else "archive"


def _folder_kind(path: str) -> Kind:
    what = files.text(path)
    try:
        found, folders = files.walk(path)
    except OSError as error:
        where = files.text(error.filename or path)
        raise UserError(f"{where}: cannot be read ({error.strerror or error}).") from error
    sorted_out = contents.sort(found, what)
    if len(sorted_out.ignored) == len(found):
        holds = f"holds no images, only {files.shown(found)}" if found else "the folder is empty"
        raise UserError(f"{what}: {holds}. Expected a folder for each class, with its images in it.")
    if sorted_out.records:
        return "tfrecords"
    published = (cifar.BINARY.file_name, cifar.PYTHON.file_name)
    if whole := [name for name in sorted_out.archives if os.path.basename(name) in published]:
        raise UserError(f"{what}: holds CIFAR-10's archive. Give the archive itself: {files.shown(whole)}.")
    if any(cifar.is_member(name) for name in found):
        raise UserError(f"{what}: CIFAR-10's archive, unpacked. Give the archive itself: it is read as it is.")
    if sorted_out.images:
        layout.understand({os.path.dirname(name) for name in sorted_out.images}, folders, what, sorted_out.ignored)
    return "folder"


def _slug(path: str) -> str:
    """A path's last part as a name of letters, digits, dots, dashes and underscores."""
    stem = formats.ENDINGS.sub("", path.rstrip("/").rsplit("/", 1)[-1])
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-._") or "pictures"
