"""Values keep their types and contents through the JSON between two Pythons, and exceptions what they carry."""

from __future__ import annotations

import collections
import datetime
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import image_pipeline as ip
from components.errors import Stopped
from image_pipeline.boundary import wire


def crossed(value: Any) -> Any:
    return wire.decode(json.loads(json.dumps(wire.encode(value, _refuse))), _refuse)


def _refuse(value: Any) -> Any:
    raise ip.UserError(f"{value} does not cross")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        2**70,
        0.1,
        math.inf,
        "",
        "straße\n\udcff",  # as in the name of a file that is not UTF-8
        [1, [2.0, "3"], []],
        (1, (2,)),
        {"a": 1, 2: [None], ("x", 3): {}},
        {1, 2},
        slice(None, 2),
        b"\0\xff",
        Path("photos/1.png"),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
        datetime.date(2026, 1, 2),
        datetime.timedelta(1, 2, 3),
    ],
)
def test_plain_values(value: Any) -> None:
    assert crossed(value) == value
    assert type(crossed(value)) is type(value) or isinstance(value, Path)


def test_nan_and_mappings() -> None:
    assert math.isnan(crossed(math.nan))
    assert crossed(collections.OrderedDict(a=1)) == {"a": 1}


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(3), np.bool_(True), np.str_("a")])
def test_scalars_of_numpy_become_those_of_python(value: Any) -> None:
    assert crossed(value) == value
    assert type(crossed(value)) is type(value.item())


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4)[:, ::2],
        np.array([0.1, np.nan], np.float32),
        np.zeros((0, 3), np.int16),
        np.array(["a", "bcd"]),
        np.array(["2026-01-02"], "M8[D]"),
        np.array(2.5),
        np.array([True, False]),
    ],
)
def test_arrays(array: np.ndarray) -> None:
    np.testing.assert_array_equal(crossed(array), array)
    assert (crossed(array).dtype, crossed(array).shape) == (array.dtype, array.shape)
    assert crossed(array).flags.writeable


def test_an_array_of_objects() -> None:
    array = np.array([[1, "a"], [None, [2, 3]]], dtype=object)
    assert crossed(array).tolist() == array.tolist()
    assert crossed(array).shape == array.shape


def test_what_only_looks_like_an_array_does_not_lose_its_mask() -> None:
    with pytest.raises(ip.UserError, match="does not cross"):
        crossed(np.ma.masked_array([1, 2], [True, False]))
    with pytest.raises(ip.UserError, match="does not cross"):
        crossed(np.zeros(2, [("a", "i4")]))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "YCbCr"])
def test_images(mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    image = Image.fromarray(pixels).convert("L" if mode in ("LA", "F") else "RGB").convert(mode)
    assert crossed(image).mode == mode
    assert crossed(image).size == (7, 5)
    assert crossed(image).tobytes() == image.tobytes()


def test_a_photo_keeps_which_side_is_up(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 2)).save(tmp_path / "photo.jpg", exif=exif)
    assert crossed(Image.open(tmp_path / "photo.jpg")).getexif()[0x0112] == 6


FRAME = pd.DataFrame(
    {
        "whole": [1, 2, 3],
        "small": np.array([1, 2, 3], np.uint8),
        "real": [0.1, np.nan, math.inf],
        "truth": [True, False, True],
        "text": ["a", "", "ü"],
        "mixed": [None, "b", 3],
        "absent": [None, None, None],
        "lists": [[1], [], [[2]]],
        "paths": [Path("a"), Path("b"), Path("c")],
        "time": [pd.Timestamp("2026-01-02 03:04:05.123456789"), pd.NaT, pd.Timestamp("2026-01-03")],
        "zoned": pd.to_datetime(["2026-01-02", None, "2026-07-03"]).tz_localize("Europe/Berlin"),
        "lasting": pd.to_timedelta([1, 2, None], "s"),
        "kind": pd.Categorical(["x", "y", None], ["y", "x", "z"], ordered=True),
        "maybe": pd.array([1, None, 3], "Int64"),
        "perhaps": pd.array([True, None, False], "boolean"),
        "string": pd.array(["a", None, "c"], "string"),
    }
)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.set_index("text"),
        FRAME.set_index(["text", "whole"]),
        FRAME.set_index("time")[["whole"]],
        FRAME.iloc[::2],
        FRAME.iloc[:0],
        FRAME[[]],
        FRAME[["real", "real"]],  # one name, two columns
        FRAME.rename_axis(columns="names").rename_axis("row"),
        FRAME.set_axis(range(FRAME.shape[1]), axis=1),
        FRAME[["whole", "real"]].T,
        FRAME.groupby("truth")[["whole"]].agg(["min", "max"]),  # columns of two levels
        pd.DataFrame(),
    ],
)
def test_frames(frame: pd.DataFrame) -> None:
    result = crossed(frame)
    pd.testing.assert_frame_equal(result, frame)
    assert result.dtypes.to_list() == frame.dtypes.to_list()
    assert type(result.index) is type(frame.index)
    assert result.index.names == frame.index.names
    for mine, theirs in zip(result.to_numpy(object).ravel(), frame.to_numpy(object).ravel()):
        assert type(mine) is type(theirs), "None is not NaN"


def test_series_and_indexes() -> None:
    for name in FRAME:
        pd.testing.assert_series_equal(crossed(FRAME[name]), FRAME[name])
    pd.testing.assert_series_equal(crossed(FRAME.iloc[0]), FRAME.iloc[0])
    pd.testing.assert_index_equal(crossed(pd.RangeIndex(1, 9, 2, name="n")), pd.RangeIndex(1, 9, 2, name="n"))


def test_errors_of_the_project_are_of_the_same_type_with_all_they_carry() -> None:
    finding = {"check": "duplicates", "count": 3, "examples": ["a.png"]}
    refused = ip.GateRefused("too many copies", [finding])
    refused.run = {"id": "1"}
    for error in (refused, ip.UserError("no such file"), ip.Damaged("a"), ip.RunFailed("b"), Stopped("at 3", 15)):
        result = error_crossed(error)
        assert type(result) is type(error)
        assert str(result) == str(error)
        assert vars(result) == vars(error)
        assert result.__cause__ is None
    assert error_crossed(refused).findings == [finding]


def test_a_subtype_arrives_as_the_type_that_both_sides_have() -> None:
    class Special(ip.UserError):
        pass

    assert type(error_crossed(Special("a"))) is ip.UserError


@pytest.mark.parametrize(
    "error",
    [KeyError("a"), FileNotFoundError(2, "No such file", "a.png"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")],
)
def test_a_fault_brings_the_traceback_of_the_worker(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        raise error
    result = error_crossed(raised.value)
    assert type(result) is type(error)
    assert str(result) == str(error)
    assert "in test_a_fault_brings_the_traceback_of_the_worker" in str(result.__cause__)


def test_a_fault_of_a_library_is_a_runtime_error_that_names_it() -> None:
    result = error_crossed(Image.DecompressionBombError("too large"))
    assert type(result) is RuntimeError
    assert str(result) == "PIL.Image.DecompressionBombError: too large"


def error_crossed(error: BaseException) -> BaseException:
    return wire.decode_error(json.loads(json.dumps(wire.encode_error(error, _refuse))), _refuse)
