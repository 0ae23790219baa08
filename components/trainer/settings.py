"""What the Trainer is told: one typed record in place of TFX's untyped custom_config."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The Trainer component's custom_config. Ranges are checked where the configuration is read."""

    strategy: str  # auto, cpu, gpu or tpu
    epochs: int
    batch_size: int  # pictures a step, over all replicas
    learning_rate: float  # at its peak
    weight_decay: float
    label_smoothing: float
    width: int  # channels of the first convolution
    flip: bool
    translate: int  # pixels, at most, in each direction
    cache_bytes: int  # decoded pictures kept in memory; else streamed from disk every epoch
    seed: int
    size: int  # pixels; height and width of the model's input, the same as Transform's
