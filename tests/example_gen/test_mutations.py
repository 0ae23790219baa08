"""Thousands of damaged files of every format: what the reader accepts, TensorFlow decodes, to the same pixels."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from components.example_gen import images
from components.example_gen.rejected import Rejected
from tests.example_gen.factories import damaged_png, encoded_anew, kept, stripped, turned

_IN_CI, _IN_CHAOS = 2_000, 20_000  # mutations a format
FORMATS = ("jpeg", "png", "bmp", "gif", "tiff", "webp", "jpeg2000", "avif", "pgm", "ppm")


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """Return the file with one to four bits, bytes or runs altered, cut out, put in, swapped, or its end cut off."""
    result = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(result) or 1)
        run = bytes(rng.choice((0, 255, rng.randrange(256))) for _ in range(rng.choice((1, 1, 2, 4, 30))))
        other = rng.randrange(len(result) or 1)
        kind = rng.choice(["bit", "bit", "bit", "run", "run", "out", "in", "swap", "header", "cut"])
        if kind == "bit":
            result[at : at + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in result[at : at + 1])
        elif kind == "run":
            result[at : at + len(run)] = run
        elif kind == "out":
            del result[at : at + len(run)]
        elif kind == "in":
            result[at:at] = run
        elif kind == "swap":
            result[at : at + len(run)] = result[other : other + len(run)]
        elif kind == "header":
            result[at % 64 : at % 64 + 1] = run[:1]
        else:
            del result[at:]
    return bytes(result)


def tally(form: str, count: int) -> Counter[str]:
    """Read `count` mutations of files of one format, and assert of each what this file promises."""
    import tensorflow as tf

    files = kept() | stripped() | turned() | encoded_anew()
    files = {name: raw for name, raw in files.items() if name.split()[0].rstrip(",") == form and len(raw) < 20_000}
    if not files:
        pytest.skip(f"this Pillow does not write {form}")
    rng = random.Random(f"{form} {count}")
    results: Counter[str] = Counter()
    for _ in range(count):
        name = rng.choice(sorted(files))
        # Nearly all other damage to a PNG is found by its checksums.
        raw = damaged_png(files[name], rng) if form == "png" and rng.random() < 0.8 else mutated(files[name], rng)
        try:
            stored = images.read(raw, 10**6, 10**6)
        except Rejected as rejected:
            results["rejected" if rejected.reason else "no reason"] += 1
            continue
        try:
            seen = tf.raw_ops.DecodeImage(contents=stored.encoded, channels=3, expand_animations=False).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise AssertionError(f"{name}: TensorFlow refuses {stored.encoded.hex()}") from error
        assert np.array_equal(seen, stored.pixels), f"{name}: {stored.encoded.hex()}"
        results["accepted"] += 1
    assert set(results) == {"accepted", "rejected"}
    return results


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_accepted_tensorflow_decodes(form: str, record_property: Callable[[str, object], None]) -> None:
    for result, count in tally(form, _IN_CI).items():
        record_property(result, count)


@pytest.mark.chaos
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_accepted_tensorflow_decodes_long(form: str, record_property: Callable[[str, object], None]) -> None:
    for result, count in tally(form, _IN_CHAOS).items():
        record_property(result, count)
