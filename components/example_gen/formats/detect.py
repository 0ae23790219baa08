"""Detection of a source's format: by data set name, by a remote path's name, or by the content of a file or folder."""

from __future__ import annotations

from collections.abc import Sequence

from components import files
from components.errors import UserError
from components.example_gen.archives import file_types
from components.example_gen.formats import FORMATS, folder
from components.example_gen.formats.base import USUAL, Features, Format, Inventory, Listing


def by_dataset(name: str) -> Format | None:
    """Return the format whose data set the user calls by this name."""
    return next((fmt for fmt in FORMATS if fmt.dataset and fmt.name == name), None)


def datasets() -> list[str]:
    """Return the names of data sets that need no path."""
    return [fmt.name for fmt in FORMATS if fmt.dataset]


def expected() -> str:
    """Return what can be given as the source, for messages."""
    paths = [fmt.expected for fmt in reversed(FORMATS) if fmt.expected]
    return f"{', '.join(datasets())}, or the path of {', '.join(paths[:-1])} or {paths[-1]}"


def of_name(path: str) -> Format:
    """Return the format of a remote path by its name, all that is known before the run; `folder` if none fits."""
    return next((fmt for fmt in FORMATS if fmt.is_named(path)), folder.FORMAT)


def of_file(path: str) -> Format:
    """Return the format of a file by its content.

    Raises:
      UserError: it is empty, of no known format, or cannot be read.
    """
    title = files.text(path)
    try:
        if not files.size(path):
            raise UserError(f"{title}: the file is empty.")
        for fmt in FORMATS:
            if fmt.is_file(path):
                return fmt
        raise file_types.refusal(path) or UserError(f"{title}: not a kind of file known here. Give {expected()}.")
    except OSError as error:
        raise UserError(f"{title}: cannot be read ({error.strerror or error}).") from error


def of_folder(listing: Listing) -> Format:
    """Return the format that reads a folder.

    Raises:
      UserError: there is nothing to read, or files of several formats.
    """
    title, names = files.text(listing.path), listing.data
    if not names:
        holds = f"holds no images, only {files.listed(listing.names)}" if listing.names else "the folder is empty"
        raise UserError(f"{title}: {holds}. Expected a folder for each class, with its images in it.")
    whole = next((fmt for fmt in FORMATS if fmt.is_folder(listing)), None)
    return whole or of_names(names, title)


def of_pattern(listing: Listing) -> Format:
    """Return the format of all files that a pattern matches.

    Raises:
      UserError: none matches, or something that only a format of one file or folder reads.
    """
    title = files.text(listing.path)
    if not listing.names:
        raise UserError(f"{title}: no file matches.")
    several = [fmt for fmt in FORMATS if fmt.several]
    for name in listing.names:
        path = listing.path_of(name)
        if files.is_folder(path) or not any(fmt.is_named(name) for fmt in several):
            can = " or ".join(fmt.several for fmt in several)
            raise UserError(
                f"{title}: a pattern can only name {can}, and it matches {files.listed([path])}. "
                "Of images or an archive, give one folder or file."
            )
    return of_names(listing.names, title)


def of_names(names: Sequence[str], title: str) -> Format:
    """Return the format of these files by their names; `folder` if no other format fits.

    Raises:
      UserError: some are of a format and others are not; `title` names where they lie.
    """
    for fmt in FORMATS:
        own = [name for name in names if fmt.several and fmt.is_named(name)]
        if not own:
            continue
        if strays := [name for name in names if not fmt.is_named(name)]:
            fewer = fmt.several if len(own) < len(strays) else "other files"
            raise UserError(
                f"{title}: {_count(own, fmt.file)} and {_count(strays, 'other file')} in it, and only one "
                f"kind can be read. Move the {fewer} elsewhere, or give what is meant: a folder, or a pattern of "
                f"{fmt.several}."
            )
        return fmt
    return folder.FORMAT


def _count(names: list[str], of: str) -> str:
    return f"{len(names):,} {of}{'s' if len(names) != 1 else ''} ({files.listed(names, 2)})"


def inventory(name: str, path: str, features: Features = USUAL) -> Inventory:
    """List the units of a local or downloaded source.

    Args:
      name: of its format. What a remote path without a telling name is, is looked up now.
      path: of the source.
      features: the user's names for those of TFRecords, or for columns of Parquet.

    Raises:
      UserError: it is damaged, or what is in it does not fit together.
    """
    listing = Listing.at(path)
    return chosen(name, listing).inventory(listing, features)


def chosen(name: str, listing: Listing) -> Format:
    """Return the format that reads what is there; `name` is the one that was found before the run.

    Raises:
      UserError: no format reads it, or several formats are needed.
    """
    if listing.is_folder:
        return of_folder(listing)
    if name != folder.FORMAT.name:
        return next(candidate for candidate in FORMATS if candidate.name == name)
    return of_file(listing.path) if files.exists(listing.path) else of_pattern(listing)
