"""The restricted unpickler reads what CIFAR-10's archives hold, and refuses everything else by name."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from components import unpickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.binary(), inner),
)
KINDS = st.sampled_from(["u1", "i4", "<i8", ">u2", "f4", ">f8", "bool"])


@given(PLAIN, st.integers(2, 5))
def test_plain_containers(value: Any, protocol: int) -> None:
    assert unpickle.loads(pickle.dumps(value, protocol)) == value


@given(
    st_numpy.arrays(KINDS, st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0)), st.integers(0, 4), st.booleans()
)
def test_arrays(array: np.ndarray, protocol: int, fortran: bool) -> None:
    written = np.asfortranarray(array) if fortran else array
    read = unpickle.loads(pickle.dumps({b"data": written}, protocol))[b"data"]
    assert read.dtype == array.dtype
    assert read.shape == written.shape
    assert np.array_equal(read, written, equal_nan=array.dtype.kind == "f")


def test_names_of_numpy_2() -> None:
    raw = pickle.dumps(np.arange(6, dtype=np.uint8), 2)
    assert b"numpy.core.multiarray" in raw or b"numpy._core.multiarray" in raw
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        written = raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray").replace(
            b"numpy.core.multiarray", name
        )
        assert unpickle.loads(written).tolist() == [0, 1, 2, 3, 4, 5]


def test_python_2_wrote_strings_as_bytes() -> None:
    """As in the published archive: `{'data': array, 'labels': [6]}` pickled by Python 2 with protocol 2."""
    raw = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x03\x01\x02\x03tbU\x06labelsq\x08]q\tK\x06au."
    )
    value = unpickle.loads(raw)
    assert value[b"data"].tolist() == [[1, 2, 3]]
    assert value[b"labels"] == [6]


class Calls:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Calls(os.system, "touch hacked"), "posix.system"),
        (Calls(eval, "1"), "eval"),
        (Calls(getattr, 1, "real"), "getattr"),
        (Calls(bytes, 10**12), r"bytes"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (np.array([{}, 1], object), "'O8'|array of objects"),
        (np.array(["text"]), "array of 'U4'"),
        (np.float64(1.5), "scalar"),
        (io.BytesIO, "BytesIO"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_names_are_refused(value: Any, named: str, protocol: int, tmp_path: Any) -> None:
    with pytest.raises(unpickle.Refused, match=named):
        unpickle.loads(pickle.dumps({b"data": value}, protocol))
    assert not os.path.exists("hacked")


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"cnumpy.core.multiarray\n_reconstruct\n}S'x'\nI1\nsb.", "no array"),  # a state for one of our functions
        (b"\x80\x02cnumpy\ndtype\n)\x81.", "operation b'\\\\x81'"),  # NEWOBJ
        (b"(inumpy\ndtype\n.", "operation b'i'"),  # INST
        (b"\x80\x02\x82\x01.", "operation"),  # EXT1
        (b"Pid\n.", "operation b'P'"),  # PERSID
        (b"\x80\x02]r\xff\xff\xff\x7f.", None),  # a memo index of two billion: harmless, and no memory taken
        (b"\x80\x02B\xff\xff\xff\x7fabc.", "damaged"),  # two billion bytes claimed, three there
        (b"", "damaged"),
        (b"\x80\x02cnumpy\ndtype\nU\x02u1\x85R(K\x03U\x01<NNNK\x00K\x00K\x00tb.", None),
    ],
)
def test_hostile_operations(raw: bytes, named: str | None) -> None:
    if named is None:
        unpickle.loads(raw)
        return
    with pytest.raises(unpickle.Refused, match=named):
        unpickle.loads(raw)


@pytest.mark.parametrize("shape", [(2**62, 4), (-1,), (7,), ("a",), (10**9,)])
def test_array_that_lies_about_its_size(shape: tuple[Any, ...]) -> None:
    raw = pickle.dumps(np.zeros(3, np.uint8), 2)
    lied = raw.replace(pickle.dumps((3,), 2)[2:-1].split(b"q")[0], pickle.dumps(shape, 2)[2:-1].split(b"q")[0])
    assert lied != raw
    with pytest.raises(unpickle.Refused):
        unpickle.loads(lied)


ATOMS = [
    b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"c_codecs\nencode\n",
    b"cos\nsystem\n", b"(", b")", b"]", b"}", b"t", b"R", b"b", b"a", b"s", b"u", b"e", b"0", b"2", b"K\x01",
    b"U\x02u1", b"X\x01\x00\x00\x00a", b"q\x01", b"h\x01", b"\x85", b"\x86", b"\x87", b"N", b"\x88", b"\x93", b"\x91",
]  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.sampled_from(ATOMS) | st.binary(max_size=3), max_size=25).map(b"".join))
def test_any_pickle_is_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(unpickle.Refused):
        unpickle.loads(b"\x80\x02" + raw + b".")


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_batch_is_read_or_refused(position: int, mask: int) -> None:
    raw = bytearray(pickle.dumps({b"data": np.zeros((2, 30), np.uint8), b"labels": [1, 2], b"filenames": [b"a"]}, 2))
    raw[position % len(raw)] ^= mask
    with contextlib.suppress(unpickle.Refused):
        unpickle.loads(bytes(raw))
