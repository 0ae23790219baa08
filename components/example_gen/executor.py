"""The Beam executor behind ImageExampleGen: two passes over the source, nothing larger than one unit in memory.

First pass: each unit is read and its images are decoded into shuffle files (shuffle_files.py). Then classes and splits
are resolved (plan.py). Second pass: each shuffle file becomes one shard of each split that it has examples of. Shards
are written by name, not by Beam's sink: a retried bundle overwrites its own shard, and the same data gives the same
bytes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx import types
from tfx.components.example_gen import base_example_gen_executor
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.contracts import counts, rejects
from components.contracts import features as f
from components.example_gen import copies, decoding, plan, settings, shuffle_files
from components.example_gen.formats import detect
from components.example_gen.formats.base import Features, Group
from components.example_gen.shuffle_files import identities
from components.files import text
from components.tfx_types import Artifacts

# Gzip, because every stock reader of Examples expects it; stored, because images are compressed already.
_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=0)


class Shards(NamedTuple):
    """The shards that the second pass writes from one shuffle file."""

    shuffled: str
    outputs: dict[str, str]  # split: the shard's path
    plan: str


class _DecodeUnit(beam.DoFn):
    def __init__(self, limits: shuffle_files.Limits) -> None:
        self.limits = limits

    def process(self, prefix: str) -> None:
        unit = shuffle_files.load(prefix + ".unit")
        result = shuffle_files.decode_unit(unit, prefix, self.limits)
        shuffle_files.save(prefix + ".result", result)


class _WriteShards(beam.DoFn):
    def process(self, shards: Shards) -> None:
        targets = shuffle_files.load(shards.plan)
        shuffle_files.save(shards.shuffled + ".result", write_shards(shards, targets))


def write_shards(shards: Shards, targets: dict[Group, plan.Target | rejects.Rejection]) -> list[rejects.Rejection]:
    """Write a shuffle file's examples to its shards, with their labels, mixed by hash; return the rejected ones."""
    index: shuffle_files.Index = shuffle_files.load(shards.shuffled + ".index")
    with fileio.open(shards.shuffled, "rb") as file:
        content = memoryview(file.read())
    ends = np.cumsum(index.lengths)
    codes = plan.split_codes(index, targets)
    rejected = []
    for i in np.flatnonzero((codes < 0) & (index.codes != shuffle_files.DROPPED)):
        example = tf.train.Example.FromString(bytes(content[ends[i] - index.lengths[i] : ends[i]]))
        left_out = targets[index.groups[index.codes[i]]]
        assert isinstance(left_out, rejects.Rejection)
        source = example.features.feature[f.SOURCE].bytes_list.value[0].decode()
        rejected.append(left_out._replace(source=source))
    # Concatenated serialized messages are their merged message: the label is added without parsing.
    labels = [_label(target) if isinstance(target := targets[group], plan.Target) else b"" for group in index.groups]
    order = np.argsort(index.hashes, kind="stable")
    for split, path in shards.outputs.items():
        rows = order[codes[order] == f.SPLITS.index(split)]
        starts = (ends - index.lengths)[rows].tolist()
        with tf.io.TFRecordWriter(path, _OPTIONS) as writer:
            for start, end, group in zip(starts, ends[rows].tolist(), index.codes[rows].tolist()):
                writer.write(bytes(content[start:end]) + labels[group])
    return rejected


def _label(target: plan.Target) -> bytes:
    example = tf.train.Example()
    example.features.feature[f.LABEL].int64_list.value.append(target.label)
    example.features.feature[f.CLASS_NAME].bytes_list.value.append(target.class_name.encode())
    return example.SerializeToString(deterministic=True)


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Writes the splits train, validation and test, the counts and the rejected images."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        raise NotImplementedError("Do() is overridden: splits depend on all images of a class")

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Override the base class's method. `custom_config` holds settings.Settings.

        Raises:
          UserError: the source cannot be used.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = settings.unpack(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        input_config = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], input_config)
        path = os.path.join(exec_properties[standard_component_specs.INPUT_BASE_KEY], input_config.splits[0].pattern)
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        examples.split_names = artifact_utils.encode_split_names(list(f.SPLITS))
        scratch = os.path.join(self._get_tmp_dir(), "shuffle")
        fileio.makedirs(scratch)
        try:
            self._convert(config, path, examples, scratch)
        finally:
            fileio.rmtree(scratch)
        examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")

    def _convert(self, config: settings.Settings, path: str, examples: types.Artifact, scratch: str) -> None:
        inventory = detect.inventory(config.format, path, Features(config.image, config.label))
        title = inventory.title or text(path)
        prefixes = [os.path.join(scratch, f"unit-{i:05d}") for i in range(len(inventory.units))]
        for prefix, unit in zip(prefixes, inventory.units):
            shuffle_files.save(prefix + ".unit", unit)
        limits = shuffle_files.Limits(config.max_bytes, config.max_pixels, config.max_side or decoding.MAX_SIDE)
        self._run("Read", prefixes, _DecodeUnit(limits))

        load = shuffle_files.load
        results: list[shuffle_files.UnitResult] = [load(prefix + ".result") for prefix in prefixes]
        shuffled = [path for result in results for path in result.paths]
        indexes: list[shuffle_files.Index] = [load(path + ".index") for path in shuffled]
        drop = partial(copies.drop, kinds=config.drop, identify=lambda i, rows: identities(shuffled[i], rows))
        planned = plan.make(title, results, inventory, indexes, config.shares, drop)
        for path, before, now in zip(shuffled, indexes, planned.indexes):
            if now is not before:
                shuffle_files.save(path + ".index", now)
        shuffle_files.save(os.path.join(scratch, "plan"), planned.targets)
        shards = _shards(shuffled, planned, examples, os.path.join(scratch, "plan"))
        self._run("Write", shards, _WriteShards())

        rejected = [*planned.rejected, *(rejection for path in shuffled for rejection in load(path + ".result"))]
        rejects.write(examples.uri, rejected)
        turned, reduced = (sum(getattr(result, key) for result in results) for key in ("turned", "reduced"))
        notes = [*planned.notes, *_note_of_turned(turned), *_note_of_reduced(reduced, limits.max_side)]
        counted = counts.Counts(
            source=title,
            class_names=planned.class_names,
            splits=_counted(planned),
            rejected=len(rejected),
            dropped=planned.dropped,
            ignored=planned.ignored,
            notes=notes,
            reoriented=turned,
            reduced=reduced,
        )
        counts.write(examples.uri, counted)

    def _run(self, label: str, elements: Iterable[Any], work: beam.DoFn) -> None:
        with self._make_beam_pipeline() as pipeline:
            # Only the names of units are shuffled, never the images: FnApiRunner keeps shuffled data in memory.
            _ = pipeline | beam.Create(list(elements)) | beam.Reshuffle() | label >> beam.ParDo(work)


def _shards(
    shuffled: list[str],
    planned: plan.Plan,
    examples: types.Artifact,
    plan_path: str,
) -> list[Shards]:
    """Return the shards of each shuffle file, numbered within each split."""
    split_codes = [set(np.unique(plan.split_codes(index, planned.targets)).tolist()) for index in planned.indexes]
    outputs: list[dict[str, str]] = [{} for _ in shuffled]
    for code, split in enumerate(f.SPLITS):
        folder = artifact_utils.get_split_uri([examples], split)
        fileio.makedirs(folder)
        users = [i for i, codes in enumerate(split_codes) if code in codes]
        for number, i in enumerate(users):
            outputs[i][split] = os.path.join(folder, f"data_tfrecord-{number:05d}-of-{len(users):05d}.gz")
    return [Shards(path, output, plan_path) for path, output in zip(shuffled, outputs)]


def _note_of_turned(count: int) -> list[str]:
    if not count:
        return []
    subject = "1 image was" if count == 1 else f"{count:,} images were"
    return [f"{subject} turned upright, as the EXIF orientation says, and re-encoded"]


def _note_of_reduced(count: int, max_side: int) -> list[str]:
    if not count:
        return []
    subject = "1 image was" if count == 1 else f"{count:,} images were"
    return [f"{subject} reduced to {max_side:,} pixels on the longer side (data.max_side)"]


def _counted(planned: plan.Plan) -> dict[str, dict[str, int]]:
    """Return the number of images of each class in each split."""
    counted: Counter[tuple[int, int]] = Counter()
    for index in planned.indexes:
        labels = np.array([getattr(planned.targets[group], "label", -1) for group in index.groups])
        pairs = np.stack([plan.split_codes(index, planned.targets), labels[index.codes]], axis=1)
        for (code, label), count in zip(*np.unique(pairs, axis=0, return_counts=True)):
            counted[int(code), int(label)] += int(count)
    return {
        split: {name: counted[code, label] for label, name in enumerate(planned.class_names)}
        for code, split in enumerate(f.SPLITS)
    }
