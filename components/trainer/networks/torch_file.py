"""Read the weights in a file that `torch.save` wrote, without PyTorch.

Both layouts of the format are sequences of pickles: the older one (before PyTorch 1.6) has a magic number, a version, a
description of the machine, the dictionary of tensors, the keys of the storages, then the numbers of each storage.
"""

from __future__ import annotations

import io
import math
import struct
from typing import IO, Any, ClassVar

import numpy as np

from components import unpickle
from components.unpickle import Refused

_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class _Storage:
    """The numbers of one or more tensors, read after the pickles."""

    def __init__(self, dtype: str, count: int) -> None:
        self.dtype, self.count = np.dtype(dtype), count
        self.values: np.ndarray = np.empty(0, self.dtype)


class _Tensor:
    """Stands in for a tensor: a view of a storage."""

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> None:
        if not isinstance(storage, _Storage) or len(shape) != len(strides):
            raise Refused("a tensor without storage")
        if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *strides)):
            raise Refused(f"a tensor of shape {shape!r} and strides {strides!r}")
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides))
        if math.prod(shape) > storage.count or (math.prod(shape) and last >= storage.count):
            raise Refused(f"a tensor of shape {shape!r} beyond its storage")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        size = self.storage.dtype.itemsize
        strides = tuple(stride * size for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(self.storage.values[self.offset :], self.shape, strides)
        return np.ascontiguousarray(view)


class _Dictionary(dict[Any, Any], unpickle.StandIn):
    """Stands in for collections.OrderedDict; the state that PyTorch gives it holds versions of layers."""

    def __setstate__(self, state: Any) -> None:
        """Forget the state."""


class _Unpickler(unpickle.Unpickler):
    names: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): _Dictionary,
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        **{("torch", name): dtype for name, dtype in _STORAGES.items()},
    }
    dispatch: ClassVar[dict[int, Any]] = unpickle.dispatch("BINPERSID")

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a tensor names: ('storage', type, key, device, count, view)."""
        kind, dtype, key, _, count, *view = pid
        if kind != "storage" or dtype not in _STORAGES.values() or any(view) or not isinstance(count, int):
            raise Refused(f"the storage {pid!r}")
        return self._storages.setdefault(key, _Storage(dtype, count))


def loads(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a state dict that `torch.save` wrote in its older layout, by their names.

    Raises:
      Refused: it is not such a file, holds anything but arrays of numbers, or is damaged.
    """
    storages: dict[str, _Storage] = {}
    with io.BytesIO(content) as file:
        if _Unpickler(file, storages).read() != _MAGIC:
            raise Refused("not a file of torch.save in its older layout")
        _version, machine, tensors, keys = (_Unpickler(file, storages).read() for _ in range(4))
        if machine.get("little_endian") is not True:
            raise Refused("numbers whose bytes are in another order")
        if set(keys) != set(storages):
            raise Refused("storages that no tensor names, or tensors without storage")
        for key in keys:
            storage = storages[key]
            header = file.read(8)
            if len(header) != 8 or struct.unpack("<q", header)[0] != storage.count:
                raise Refused("damaged data (the size of a storage)")
            numbers = file.read(storage.count * storage.dtype.itemsize)
            if len(numbers) != storage.count * storage.dtype.itemsize:
                raise Refused("damaged data (the file is cut short)")
            storage.values = np.frombuffer(numbers, storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items() if isinstance(tensor, _Tensor)}
