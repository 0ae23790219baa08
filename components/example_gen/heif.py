"""HEIC and HEIF, a phone's photos: read where pi-heif or pillow-heif is installed, neither of which is in the lock.

The choice is the user's: the wheels of pi-heif bundle libheif and libde265 (LGPLv3), those of pillow-heif x265 as well
(GPLv2), and HEVC is patented. Both turn the image upright, as its own transformations say, and set EXIF's to upright.
"""

from __future__ import annotations

import contextlib
import functools
import importlib

MODULES = ("pi_heif", "pillow_heif")
_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def is_heif(raw: bytes) -> bool:
    """Return whether a file is HEIF by its brand."""
    return raw[4:8] == b"ftyp" and raw[8:12] in _BRANDS


@functools.cache
def is_readable() -> bool:
    """Let Pillow read HEIF, as its format `HEIF`; return False if neither package is installed."""
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name).register_heif_opener()
            return True
    return False
