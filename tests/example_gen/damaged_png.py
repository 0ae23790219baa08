"""Damage to PNG files that their checksums do not show."""

from __future__ import annotations

import random
import struct
import zlib


def chunks(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Return (kind, data) of the chunks of a sound PNG."""
    result = []
    position = 8
    while position < len(raw):
        length, kind = struct.unpack_from(">I4s", raw, position)
        result.append((kind, raw[position + 8 : position + 8 + length]))
        position += 12 + length
    return result


def of_chunks(parts: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """Return the sound PNG with a chunk lost, doubled or altered, or with other rows, and right checksums."""
    parts = [(kind, data) for kind, data in chunks(raw[: raw.rindex(b"IEND") + 8]) if len(data) < 100_000]
    at = rng.randrange(len(parts))
    kind, data = parts[at]
    what = rng.choice(("lost", "doubled", "altered", "altered", "cut", "rows", "rows", "rows"))
    if what == "lost":
        del parts[at]
    elif what == "doubled":
        parts.insert(rng.randrange(len(parts)), parts[at])
    elif what == "altered" and data:
        i = rng.randrange(len(data))
        parts[at] = kind, data[:i] + bytes([rng.randrange(256)]) + data[i + 1 :]
    elif what == "cut":
        parts[at] = kind, data[: rng.randrange(len(data) + 1)]
    else:
        image = b"".join(data for kind, data in parts if kind == b"IDAT")
        rows = bytearray(zlib.decompress(image))
        for _ in range(rng.choice((1, 1, 5))):
            rows[rng.randrange(len(rows))] = rng.randrange(256)
        rows = rows[: len(rows) - rng.choice((0, 0, 1, 90, len(rows) // 2))] + bytes(rng.choice((0, 0, 99)))
        first = next(i for i, (kind, _) in enumerate(parts) if kind == b"IDAT")
        parts = [part for part in parts if part[0] != b"IDAT"]
        parts.insert(first, (b"IDAT", zlib.compress(bytes(rows))))
    return of_chunks(parts)
