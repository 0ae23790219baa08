"""What the Trainer is told: one typed record in place of TFX's untyped custom_config."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The Trainer component's custom_config. Ranges are checked where the configuration is read."""

    strategy: str  # auto, cpu, gpu, multi_worker or tpu
    epochs: int
    batch_size: int  # pictures a step, over all replicas
    learning_rate: float  # at its peak
    label_smoothing: float
    stem_stride: int  # pixels between the patches that the network looks at first
    width: int  # channels of the first group of convolutions; the others have twice as many
    depth: int  # convolutions a group
    flip: bool
    translate: int  # pixels, at most, in each direction
    cutout: int  # pixels; side of the square that is blanked, 0: none
    mixup: float  # of pairs of pictures that are blended: alpha of their weights' Beta distribution, 0: none
    cutmix: float  # the same of rectangles that are pasted from one into another; Keras draws alpha up to it
    ensemble: int  # networks trained one after the other, from seeds of their own; an answer is the mean of theirs
    test_time_views: int  # of each picture, over which an answer is the mean: 1, 2 or 6, see layers.Views
    cache_bytes: int  # decoded pictures kept in memory; else streamed from disk every epoch
    seed: int
    size: int  # pixels; height and width of the model's input, the same as Transform's
    precision: str = "float32"  # auto, float32 or bfloat16
    per_replica: bool = False  # batch_size and learning_rate are of one replica: both are multiplied by their number
    tpu: str = ""  # name or address of the TPU; found from the environment where empty
    checkpoints: str = ""  # folder in which an unfinished training is kept; none is kept where empty
    checkpoint_seconds: int = 30  # between two checkpoints, at least
