"""The formats of sources that can be read: one module each, and a line here (CONTRIBUTING.md: 'A new source')."""

from components.example_gen.formats import archive, cifar10, digits, folder, metadata, parquet, table, tfrecords
from components.example_gen.formats.base import Format

# The first that matches is taken. A folder of images is what no other format matches.
FORMATS: tuple[Format, ...] = (
    digits.FORMAT,
    cifar10.FORMAT,
    tfrecords.FORMAT,
    parquet.FORMAT,
    table.FORMAT,
    metadata.FORMAT,
    archive.FORMAT,
    folder.FORMAT,
)
