"""The curated schema of a run: the one that is named, the user's own, or the one that comes with the package."""

from __future__ import annotations

from pathlib import Path

from components import files
from components.contracts.schema import SCHEMA_FILE
from pipeline.config import Config

SHIPPED = Path(__file__).resolve().parent / "schema"  # in a checkout a link to schema/


def path(config: Config) -> str | None:
    """Return the absolute or remote path of the schema, or None if the schema is to be inferred.

    In this order: `schema_file`, whether it exists or not; `schema/<name>/schema.pbtxt` below the current folder, where
    `schema freeze` writes it; the package's own.
    """
    if config.schema_file:
        return config.schema_file if files.is_remote(config.schema_file) else str(Path(config.schema_file).resolve())
    for folder in (Path("schema"), SHIPPED):
        file = folder / config.name / SCHEMA_FILE
        if file.is_file():
            return str(file.resolve())
    return None


def describe(config: Config) -> str:
    """Describe in a few words which schema a run uses."""
    schema = path(config)
    if schema is None:
        return "inferred"
    if config.schema_file or files.is_remote(schema):
        return schema
    own = Path("schema", config.name, SCHEMA_FILE)
    return str(own) if Path(schema) == own.resolve() else f"the package's own for {config.name}"
