"""A safe unpickler that reads numpy arrays and plain containers, and nothing else.

An ordinary unpickler calls whatever the file names. This one accepts a closed list of names (here those that numpy 1
and 2, Python 2 and 3 use for arrays and bytes), replaces each by a stand-in that checks its arguments, and refuses
every other name and every operation that these do not need.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, ClassVar

import numpy as np


class Refused(Exception):  # noqa: N818
    """The pickle holds something else. The message names it."""


class StandIn:
    """The base class of stand-ins to which a pickle may give a state."""

    def __setstate__(self, state: Any) -> None:
        raise Refused("a state for something that has none")


class _Dtype(StandIn):
    """Stands in for numpy.dtype: plain numbers of a fixed size only."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        name = code.decode("ascii") if isinstance(code, bytes) else code
        if name not in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "b1"):
            raise Refused(f"an array of {name!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array(StandIn):
    """Stands in for numpy.ndarray; holds the array once its state is set."""

    array = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise Refused("an array of objects")
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise Refused(f"an array of shape {shape!r}")
        if math.prod(shape) * dtype.dtype.itemsize != len(data):
            raise Refused("an array whose size does not fit its data")
        self.array = np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _encode(value: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise Refused(f"the codec {encoding!r}")
    return value.encode("latin1")


def _bytes(*empty: object) -> bytes:
    if empty:
        raise Refused("a call of bytes()")
    return b""


NAMES: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
}

# Everything that builds numbers, strings, None, booleans, lists, tuples, dictionaries and sets, and calls by name.
_OPERATIONS = """
    PROTO FRAME STOP MARK POP POP_MARK DUP MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8
    EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS
    EMPTY_SET ADDITEMS FROZENSET GLOBAL STACK_GLOBAL REDUCE BUILD
"""


class _Dispatch(dict[int, Any]):
    def __missing__(self, operation: int) -> Any:
        raise Refused(f"the pickle operation {bytes([operation])!r}")


def dispatch(*operations: str) -> dict[int, Any]:
    """Return the calls of the allowed operations, and of `operations`, by their codes."""
    allowed = [getattr(pickle, name)[0] for name in (*_OPERATIONS.split(), *operations)]
    calls: dict[int, Any] = pickle._Unpickler.dispatch  # type: ignore[attr-defined,unused-ignore]
    return _Dispatch({code: calls[code] for code in allowed} | {pickle.BUILD[0]: _build})


def _build(unpickler: Any) -> None:
    state, target = unpickler.stack.pop(), unpickler.stack[-1]
    if not isinstance(target, StandIn):
        raise Refused("a state for something that is no array")
    target.__setstate__(state)


class Unpickler(pickle._Unpickler):  # type: ignore[name-defined,misc,unused-ignore]
    """Unpickles what `names` and `dispatch` allow; a subclass may allow more.

    Its base class is the unpickler written in Python: the one in C allocates whatever index a hostile file names for
    its memo.
    """

    names: ClassVar[dict[tuple[str, str], Any]] = NAMES
    dispatch: ClassVar[dict[int, Any]] = dispatch()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise Refused(f"{module}.{name}")
        return self.names[module, name]

    def read(self) -> Any:
        """Return what the pickle holds.

        Raises:
          Refused: it names or does something else, or is damaged.
        """
        try:
            return self.load()
        except Refused:
            raise
        except Exception as error:  # a damaged pickle raises many kinds of errors
            raise Refused(f"damaged data ({type(error).__name__}: {error})") from error


def loads(raw: bytes) -> Any:
    """Return the containers in the pickle, with numpy arrays (read-only) in them; Python 2's strings come as bytes.

    Raises:
      Refused: it names or does something else, or is damaged.
    """
    return _plain(Unpickler(io.BytesIO(raw), encoding="bytes").read())


def _plain(value: Any) -> Any:
    """Return arrays in place of their stand-ins, alone or in a dictionary: no deeper nesting is read here."""
    if isinstance(value, dict):
        return {key: item.array if isinstance(item, _Array) else item for key, item in value.items()}
    return value.array if isinstance(value, _Array) else value
