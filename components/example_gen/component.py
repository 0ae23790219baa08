"""ImageExampleGen: labelled images from any source to the examples of components/contracts/features.py."""

from __future__ import annotations

from collections.abc import Sequence

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.contracts import features as f
from components.example_gen import driver, executor, settings
from components.example_gen.config import Data
from components.example_gen.formats.base import Source
from components.example_gen.settings import Settings


class ImageExampleGen(FileBasedExampleGen):
    """Reads a source of labelled images into the splits train, validation and test.

    Its output `examples` also holds rejects.REJECTED_FILE and counts.COUNTS_FILE.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(self, source: Source, data: Data, drop: Sequence[str] = ()) -> None:
        """Configure the component.

        Args:
          source: what sources.locate returned.
          data: the section of the configuration; its `source` is not read.
          drop: the kinds of findings, of leaks, conflicts and duplicates, whose images are left out.
        """
        features, shares = data.features, data.splits.model_dump()
        configured = Settings(
            source.format,
            shares,
            data.max_bytes,
            data.max_pixels,
            features.image,
            features.label,
            drop=tuple(drop),
            max_side=data.max_side,
        )
        super().__init__(
            input_base=source.input_base,
            input_config=example_gen_pb2.Input(
                splits=[example_gen_pb2.Input.Split(name="pictures", pattern=source.pattern)]
            ),
            # The executor settles the splits; TFX wants an output for its one input all the same.
            output_config=example_gen_pb2.Output(
                split_config=example_gen_pb2.SplitConfig(
                    splits=[example_gen_pb2.SplitConfig.Split(name=split, hash_buckets=1) for split in f.SPLITS]
                )
            ),
            custom_config=settings.pack(configured),
        )
