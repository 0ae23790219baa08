"""ImageExampleGen: labelled images from any source to the examples of components/contracts/features.py."""

from __future__ import annotations

from collections.abc import Mapping

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.contracts import features as f
from components.example_gen import driver, executor, settings
from components.example_gen.formats.base import USUAL, Features, Source


class ImageExampleGen(FileBasedExampleGen):
    """Reads a source of labelled images into the splits train, validation and test.

    Its output `examples` also holds rejects.REJECTED_FILE and counts.COUNTS_FILE.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        source: Source,
        splits: Mapping[str, float],
        max_bytes: int,
        max_pixels: int,
        features: Features = USUAL,
    ) -> None:
        """Configure the component.

        Args:
          source: what sources.locate returned.
          splits: the share of each split, where the source does not give the splits itself.
          max_bytes: of one encoded image; larger ones are rejected.
          max_pixels: of one decoded image, height x width; larger ones are rejected.
          features: those of TFRecords, or columns of Parquet, that hold the image and its label, where not usual ones.
        """
        shares = {split: float(splits[split]) for split in f.SPLITS}
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
            custom_config=settings.pack(settings.Settings(source.format, shares, max_bytes, max_pixels, *features)),
        )
