"""The slices by brightness and by size: bins that are added to the features for TFMA."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from components.contracts import features as f

BRIGHTNESS, SIZE = "brightness_bin", "size_bin"  # what TFMA slices by
BRIGHTNESS_BINS = 10  # of equal width over [0, 1]


def custom_extractors(eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[Any]:
    """Return TFMA's extractors with one that adds the bins after the features. Called by TFX's Evaluator."""
    features, *rest = tfma.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    bins = tfma.extractors.Extractor(stage_name="ExtractBins", ptransform=beam.Map(_with_bins))
    return [features, bins, *rest]


def brightness_bin(brightness: float) -> str:
    """Return the tenth of [0, 1] that contains the value."""
    bin_ = min(int(brightness * BRIGHTNESS_BINS), BRIGHTNESS_BINS - 1)
    return f"{bin_ / BRIGHTNESS_BINS:.1f} to {(bin_ + 1) / BRIGHTNESS_BINS:.1f}"


def size_bin(height: int, width: int) -> str:
    """Return the powers of two that the shorter side lies between, in pixels."""
    low = 1 << (min(height, width).bit_length() - 1)
    return f"{low} to {2 * low - 1} pixels"


def _with_bins(extracts: dict[str, Any]) -> dict[str, Any]:
    """Return a batch with the bins among its features: bytes [N, 1] each."""
    features = extracts[tfma.FEATURES_KEY]
    brightness, height, width = (np.ravel(features[key]) for key in (f.BRIGHTNESS, f.HEIGHT, f.WIDTH))
    bins = {
        BRIGHTNESS: [brightness_bin(value) for value in brightness.tolist()],
        SIZE: [size_bin(*sides) for sides in zip(height.tolist(), width.tolist())],
    }
    added = {key: np.array([name.encode() for name in names], object)[:, None] for key, names in bins.items()}
    return {**extracts, tfma.FEATURES_KEY: {**features, **added}}
