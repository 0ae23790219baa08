"""Files of torch.save in the older layout are read without PyTorch, and nothing but arrays of numbers is read."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct
import sys
import types
from typing import Any, NamedTuple

import numpy as np
import pytest

from components.trainer.networks import torch_file
from components.unpickle import Refused

MAGIC = 0x1950A86A20F9469CFC6C


class Tensor(NamedTuple):
    """What a file says of a tensor: a view of a storage."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@pytest.fixture(autouse=True)
def _fake_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give pickle the names that PyTorch's own classes have."""
    for module, name in (("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage"), ("torch", "Evil")):
        fake = sys.modules.get(module) or types.ModuleType(module)
        monkeypatch.setitem(sys.modules, module, fake)
        named = type(name, (), {"__module__": module, "__qualname__": name})
        monkeypatch.setattr(fake, name, named, raising=False)


class _Storage(NamedTuple):
    key: str


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, storages: dict[str, np.ndarray]) -> None:
        super().__init__(file, 2)
        self.storages = storages

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _Storage):
            return None
        return ("storage", sys.modules["torch"].FloatStorage, value.key, "cpu", len(self.storages[value.key]), None)


class _Rebuilt:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> Any:
        key, *view = self.tensor
        storage = _Storage(key) if key.isdigit() else key
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (storage, *view, False, collections.OrderedDict())


def written(tensors: dict[str, Any], storages: dict[str, np.ndarray], magic: int = MAGIC) -> bytes:
    """Return the bytes of a file with `tensors`, as PyTorch before 1.6 wrote it."""
    file = io.BytesIO()
    for value in (magic, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
        pickle.dump(value, file, 2)
    values = collections.OrderedDict(
        (name, _Rebuilt(tensor) if isinstance(tensor, Tensor) else tensor) for name, tensor in tensors.items()
    )
    _Pickler(file, storages).dump(values)
    pickle.dump(sorted(storages), file, 2)
    for _, numbers in sorted(storages.items()):
        file.write(struct.pack("<q", len(numbers)) + numbers.astype("<f4").tobytes())
    return file.getvalue()


NUMBERS = np.arange(12, dtype=np.float32)


def test_tensors_are_views_of_storages_with_strides_of_their_own() -> None:
    tensors = {
        "rows": Tensor("0", 0, (3, 4), (4, 1)),
        "columns": Tensor("0", 0, (4, 3), (1, 4)),
        "part": Tensor("0", 5, (2,), (3,)),
        "number": Tensor("1", 0, (), ()),
    }
    read = torch_file.loads(written(tensors, {"0": NUMBERS, "1": np.array([7.0])}))
    assert read["rows"].tolist() == NUMBERS.reshape(3, 4).tolist()
    assert read["columns"].tolist() == NUMBERS.reshape(3, 4).T.tolist()
    assert read["part"].tolist() == [5, 8]
    assert read["number"] == 7
    assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in read.values())


class Calls:
    def __reduce__(self) -> Any:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize(
    ("tensors", "named"),
    [
        ({"a": Tensor("0", 0, (13,), (1,))}, "beyond its storage"),
        ({"a": Tensor("0", 10, (2, 2), (1, 2))}, "beyond its storage"),
        ({"a": Tensor("0", -1, (2,), (1,))}, "shape"),
        ({"a": Tensor("0", 0, (10**12,), (0,))}, "beyond its storage"),
        ({"a": Tensor("no storage", 0, (1,), (1,))}, "without storage"),
        ({"a": Calls()}, "posix.system"),
    ],
)
def test_hostile_tensors_are_refused(tensors: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=named):
        torch_file.loads(written(tensors, {"0": NUMBERS}))
    assert not os.path.exists("hacked")


def test_damaged_files_are_refused() -> None:
    whole = written({"a": Tensor("0", 0, (12,), (1,))}, {"0": NUMBERS})
    assert torch_file.loads(whole)["a"].tolist() == NUMBERS.tolist()
    for end in range(len(whole)):
        with pytest.raises(Refused):
            torch_file.loads(whole[:end])
    with pytest.raises(Refused, match=r"torch\.save"):
        torch_file.loads(written({}, {}, magic=1))
    with pytest.raises(Refused):
        torch_file.loads(b"PK\x03\x04" + bytes(100))  # the newer layout
