"""Images with exactly the same pixels: across splits, under more than one class, or twice in one split.

Beam groups the images by the hash of their pixels. Only hash, class and source of an image leave the reader, and only a
few images of a group are kept, so memory does not grow with the data.
"""

from __future__ import annotations

import bisect
import collections
import heapq
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx.dsl.io import fileio

from components.contracts import features as f
from components.contracts.findings import CONFLICTS, DUPLICATES, KEPT, LEAKS, Finding
from components.data_gate.messages import finding, for_example, image_count, quote
from components.files import text

_COLUMNS = (f.PIXELS_SHA256, f.CLASS_NAME, f.SOURCE)
_BATCH = 1024  # records decoded at once
_IMAGES, _RECORDS = "images", "records"  # the outputs of _read
_ALIKE = 3  # images kept of those that agree in pixels, split and class

ImageKey = tuple[str, str, str]  # split, class name, source
Key = tuple[str, ...]  # kind, then the splits concerned
Example = tuple[ImageKey, ...]


def find_duplicates(
    pipeline: beam.Pipeline, files: Mapping[str, list[str]], scratch: str, actions: Mapping[str, str]
) -> tuple[list[Finding], dict[str, int]]:
    """Run `pipeline`; return the findings, in a fixed order, and the number of records of each split.

    Args:
      pipeline: a Beam pipeline that was not used before.
      files: the TFRecord files of each split, gzipped where their names end in .gz.
      scratch: a folder for the result on its way out of Beam; removed at the end.
      actions: for each of "leaks", "conflicts" and "duplicates" that is looked for.
    """
    with pipeline as p:
        read = (
            p
            | "Files" >> beam.Create([(split, name) for split, names in files.items() for name in names])
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(_read).with_outputs(_RECORDS, main=_IMAGES)
        )
        _ = (
            read[_RECORDS]
            | "Count" >> beam.CombinePerKey(sum)
            | "CountsToJson" >> beam.Map(json.dumps)
            | "WriteCounts" >> beam.io.WriteToText(f"{scratch}/{_RECORDS}")
        )
        _ = (
            read[_IMAGES]
            | "SamePixels" >> beam.GroupByKey()
            | "Compare" >> beam.FlatMap(_compare)
            | "LookedFor" >> beam.Filter(lambda element, kinds: element[0][0] in kinds, tuple(actions))
            | "Summarise" >> beam.CombinePerKey(_CountAndFirst())
            | "ToJson" >> beam.Map(json.dumps)
            | "Write" >> beam.io.WriteToText(f"{scratch}/{_IMAGES}")
        )
    results: list[tuple[list[str], tuple[int, list[list[list[str]]]]]] = list(_lines(f"{scratch}/{_IMAGES}*"))
    records = dict.fromkeys(files, 0) | dict(_lines(f"{scratch}/{_RECORDS}*"))
    fileio.rmtree(scratch)
    order = (*actions, *f.SPLITS)
    results.sort(key=lambda result: [order.index(word) for word in result[0]])
    findings = [
        _in_words(kind, splits, count, examples, actions[kind]) for (kind, *splits), (count, examples) in results
    ]
    return findings, records


def _lines(pattern: str) -> Iterator[Any]:
    for name in fileio.glob(pattern):
        with fileio.open(name, "rb") as file:
            yield from (json.loads(line) for line in file)


def _read(split_and_file: tuple[str, str]) -> Iterator[Any]:
    """Yield (hash, (split, class name, source)) of each image of a file, and (split, records) to _RECORDS."""
    split, path = split_and_file
    features = {name: tf.io.FixedLenFeature([], tf.string, "") for name in _COLUMNS}
    for records in tf.data.TFRecordDataset(path, "GZIP" if path.endswith(".gz") else "").batch(_BATCH):
        yield beam.pvalue.TaggedOutput(_RECORDS, (split, len(records)))
        parsed = tf.io.parse_example(records, features)
        for pixels, class_name, source in zip(*(parsed[name].numpy().tolist() for name in _COLUMNS)):
            if pixels and class_name and source:  # a missing feature is an anomaly, reported elsewhere
                yield pixels, (split, class_name, source)


def _compare(
    group: tuple[bytes, Iterable[tuple[str, bytes, bytes]]],
) -> Iterator[tuple[Key, tuple[int, Example]]]:
    """Yield (kind of finding, (count, example)) for each kind of duplicate among the images of one hash."""
    alike = iter(group[1])
    pair = list(itertools.islice(alike, 2))
    if len(pair) == 1:  # as nearly all are
        return
    counts: collections.Counter[tuple[str, bytes]] = collections.Counter()
    first_sources: dict[tuple[str, bytes], list[bytes]] = collections.defaultdict(list)
    for split, class_name, source in itertools.chain(pair, alike):  # may be many: only the first few are kept
        counts[split, class_name] += 1
        bisect.insort(first_sources[split, class_name], source)
        del first_sources[split, class_name][_ALIKE:]

    def example(split: str, class_name: bytes, at_most: int = 1) -> Example:
        return tuple((split, text(class_name), text(source)) for source in first_sources[split, class_name][:at_most])

    cells = sorted(counts, key=lambda cell: (f.SPLITS.index(cell[0]), cell[1]))
    of_split = dict(reversed(cells))  # the first class of each split
    for first_split, second_split in itertools.combinations([split for split in f.SPLITS if split in of_split], 2):
        yield (
            (LEAKS, first_split, second_split),
            (1, example(first_split, of_split[first_split]) + example(second_split, of_split[second_split])),
        )
    of_class = {class_name: split for split, class_name in reversed(cells)}  # the first split of each class
    if len(of_class) > 1:
        yield (
            (CONFLICTS,),
            (1, tuple(itertools.chain(*(example(of_class[name], name) for name in sorted(of_class))))),
        )
    for split, class_name in cells:
        surplus = counts[split, class_name] - 1
        if surplus:
            yield (DUPLICATES, split), (surplus, example(split, class_name, _ALIKE))


class _CountAndFirst(beam.CombineFn):
    """Sums the counts and keeps the first KEPT examples in sorted order."""

    def create_accumulator(self) -> tuple[int, list[Example]]:
        return 0, []

    def add_input(
        self, accumulator: tuple[int, list[Example]], element: tuple[int, Example]
    ) -> tuple[int, list[Example]]:
        return self.merge_accumulators([accumulator, (element[0], [element[1]])])

    def merge_accumulators(self, accumulators: Iterable[tuple[int, list[Example]]]) -> tuple[int, list[Example]]:
        counts, examples = zip(*accumulators)
        return sum(counts), heapq.nsmallest(KEPT, itertools.chain(*examples))

    def extract_output(self, accumulator: tuple[int, list[Example]]) -> tuple[int, list[Example]]:
        return accumulator


def _in_words(kind: str, splits: list[str], count: int, examples: list[list[list[str]]], action: str) -> Finding:
    if kind == LEAKS:
        message = f"{_are(count)} in both {splits[0]} and {splits[1]} (exactly the same pixels)"
        advice = "Remove one of each"
        words = [" = ".join(quote(source) for _, _, source in example) for example in examples]
    elif kind == CONFLICTS:
        message = f"{_are(count)} under more than one label (exactly the same pixels)"
        advice = "Keep each under the right label alone"
        words = [
            " = ".join(f"{quote(source)} ({quote(class_name)})" for _, class_name, source in example)
            for example in examples
        ]
    else:
        repeat = "repeats another" if count == 1 else "repeat others"
        message = f"{image_count(count)} in {splits[0]} {repeat} (exactly the same pixels)"
        advice = "Remove the copies"
        words = [" = ".join(quote(source) for _, _, source in example) for example in examples]
    images: list[dict[str, Any]] = [
        {"pictures": [dict(zip(("split", "class_name", "source"), image)) for image in example]} for example in examples
    ]
    return finding(kind, action, f"{message}{for_example(words)}.", advice, count, images, f"{message}.")


def _are(count: int) -> str:
    return f"{image_count(count)} {'is' if count == 1 else 'are'}"
