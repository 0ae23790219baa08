"""Numbers in a page as short text: base64 of bytes, which explore.js and confidence.js decode."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def uint16(values: Any) -> str:
    """Return whole numbers below 65,536, two bytes each, little-endian."""
    return _text(np.asarray(values).astype("<u2").tobytes())


def uint32(values: Any) -> str:
    """Return whole numbers below 2**32, four bytes each, little-endian."""
    return _text(np.asarray(values).astype("<u4").tobytes())


def counts(values: Any) -> str:
    """Return whole numbers most of which are 0 or small: LEB128, in which a 0 is followed by how many zeros there are.

    LEB128 writes seven bits a byte, the lowest first; the highest bit of a byte says that another follows.
    """
    flat = np.asarray(values, np.int64).ravel()
    out = bytearray()
    filled = np.flatnonzero(flat)
    before = -1
    for place in (*filled.tolist(), len(flat)):
        if zeros := place - before - 1:
            out += b"\0" + _leb128(zeros)
        if place < len(flat):
            out += _leb128(int(flat[place]))
        before = place
    return _text(bytes(out))


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
