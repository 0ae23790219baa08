"""Kinds of files by name: ignored (the operating system's own), descriptions of the images, tables, TFRecords."""

from __future__ import annotations

import re

# Files of operating systems, network disks and archivers beside the images; hidden files are ignored anyway.
_LITTER = frozenset(
    {
        *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "folder.htt"),  # Windows
        *("$recycle.bin", "system volume information"),  # not Windows 98's "recycled", which may be a class
        *("@eadir", "#recycle", "#snapshot", "@recently-snapshot", "@recycle", "@tmp"),  # network disks
        *("lost+found", "zbthumbnail.info", "picasa.ini"),
    }
)
# Files that describe a set of images. A closed list: any other file is read as an image.
_DESCRIPTIONS = frozenset(
    {
        *("txt", "text", "md", "rst", "rtf", "log", "tex", "bib", "doc", "docx", "htm", "html", "css", "js", "url"),
        *("csv", "tsv", "json", "jsonl", "ndjson", "geojson", "xml", "xsd", "yaml", "yml", "toml", "ini", "cfg"),
        *("conf", "xls", "xlsx", "ods", "mat", "names", "lst", "pbtxt", "prototxt", "arff", "py", "ipynb", "m", "sh"),
        *("md5", "sha1", "sha256", "sha512", "crc", "idx", "index", "cache", "xmp", "aae", "tfw", "jgw", "pgw", "prj"),
    }
)
_DESCRIPTION_NAMES = frozenset(
    {"readme", "license", "licence", "copying", "copyright", "notice", "authors", "citation", "changelog", "changes"}
    | {"version", "manifest", "checksums", "md5sums", "sha256sums", "makefile", "dockerfile", "_success"}
)
TABLE_ENDINGS = re.compile(r"\.(csv|tsv|jsonl|ndjson)$", re.IGNORECASE)
_RECORDS = re.compile(r"(\.(tfrec(ord)?s?|records?|tfr)\b[^/]*|-\d{5}-of-\d{5}(\.gz)?)$", re.IGNORECASE)


def is_ignored(relative: str) -> bool:
    """Return True if a path is hidden or the operating system's own, in any of its folders: silently ignored."""
    return any(
        (part.startswith(".") and part != "." and not part.startswith("..")) or part.casefold() in _LITTER
        for part in relative.split("/")
    )


def is_description(path: str) -> bool:
    """Return True if the name describes the images (a README, a CSV, annotations): ignored, and counted."""
    name = path.rpartition("/")[2].casefold().removesuffix(".gz")
    stem, dot, ending = name.rpartition(".")
    return (bool(dot and stem) and ending in _DESCRIPTIONS) or name in _DESCRIPTION_NAMES


def is_records(path: str) -> bool:
    """Return True if a file is named as TFRecords are: *.tfrecord*, *.tfrec*, *.record*, or …-00000-of-00005."""
    return bool(_RECORDS.search(path)) and not is_description(path)
