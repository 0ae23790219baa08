"""DataFrames, Series and indexes as JSON: not by pickle, since the two sides have different versions of pandas."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]


def encode_array(array: Any, encode: Encode) -> Any:
    """Return a NumPy array as JSON.

    Raises:
      TypeError: its elements have a type of their own.
    """
    if array.dtype.kind == "O":
        return {"shape": list(array.shape), "values": [encode(value) for value in array.ravel()]}
    if array.dtype.kind not in "biufcSUMm":
        raise TypeError(f"an array of {array.dtype}")
    data = base64.b64encode(array.tobytes()).decode()
    return {"shape": list(array.shape), "dtype": array.dtype.str, "data": data}


def decode_array(content: Any, decode: Decode) -> Any:
    """Return the NumPy array that `encode_array` was given."""
    import numpy as np

    if "values" in content:
        return _objects([decode(value) for value in content["values"]]).reshape(content["shape"])
    data = base64.b64decode(content["data"])
    return np.frombuffer(data, np.dtype(content["dtype"])).reshape(content["shape"]).copy()


def encode_frame(frame: Any, encode: Encode) -> Any:
    """Return a DataFrame as JSON."""
    columns = [_encode_column(frame.iloc[:, number], encode) for number in range(frame.shape[1])]
    return {
        "index": encode_index(frame.index, encode),
        "names": encode_index(frame.columns, encode),
        "columns": columns,
    }


def decode_frame(content: Any, decode: Decode) -> Any:
    """Return the DataFrame that `encode_frame` was given."""
    import pandas as pd

    index = decode_index(content["index"], decode)
    columns = {number: _decode_column(column, decode) for number, column in enumerate(content["columns"])}
    frame = pd.DataFrame(columns, index=range(len(index)))
    frame.index, frame.columns = index, decode_index(content["names"], decode)
    return frame


def encode_series(series: Any, encode: Encode) -> Any:
    """Return a Series as JSON."""
    return {
        "index": encode_index(series.index, encode),
        "name": encode(series.name),
        "values": _encode_column(series, encode),
    }


def decode_series(content: Any, decode: Decode) -> Any:
    """Return the Series that `encode_series` was given."""
    series = _decode_column(content["values"], decode)
    series.index, series.name = decode_index(content["index"], decode), decode(content["name"])
    return series


def encode_index(index: Any, encode: Encode) -> Any:
    """Return an Index as JSON, a level after the other."""
    import pandas as pd

    names = [encode(name) for name in index.names]
    if isinstance(index, pd.RangeIndex):
        return {"names": names, "range": [index.start, index.stop, index.step]}
    levels = [index.get_level_values(number) for number in range(index.nlevels)]
    columns = [_encode_column(level.to_series(index=range(len(index))), encode) for level in levels]
    return {"names": names, "levels": columns, "multi": isinstance(index, pd.MultiIndex)}


def decode_index(content: Any, decode: Decode) -> Any:
    """Return the Index that `encode_index` was given."""
    import pandas as pd

    names = [decode(name) for name in content["names"]]
    if "range" in content:
        return pd.RangeIndex(*content["range"], name=names[0])
    levels = [_decode_column(column, decode) for column in content["levels"]]
    if content["multi"]:
        return pd.MultiIndex.from_arrays(levels, names=names)
    return pd.Index(levels[0], dtype=levels[0].dtype, name=names[0])


def _encode_column(series: Any, encode: Encode) -> Any:
    import numpy as np
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return {"kind": "numpy", "array": encode_array(series.to_numpy(), encode)}
    if isinstance(dtype, pd.CategoricalDtype):
        categories = encode_index(series.cat.categories, encode)
        codes = encode_array(series.cat.codes.to_numpy(), encode)
        return {"kind": "category", "codes": codes, "categories": categories, "ordered": bool(series.cat.ordered)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return {"kind": "zoned", "array": encode_array(naive.to_numpy(), encode), "zone": str(dtype.tz)}
    missing = series.isna()
    values = [None if absent else encode(value) for value, absent in zip(series, missing)]
    return {"kind": "extension", "dtype": str(dtype), "values": values}


def _decode_column(content: Any, decode: Decode) -> Any:
    import pandas as pd

    kind = content["kind"]
    if kind == "category":
        codes = decode_array(content["codes"], decode)
        categories = decode_index(content["categories"], decode)
        return pd.Series(pd.Categorical.from_codes(codes, categories, content["ordered"]))
    if kind == "extension":
        values = [decode(value) for value in content["values"]]
        if content["dtype"] == "str" and not hasattr(pd.api.types.pandas_dtype("str"), "na_value"):  # before pandas 3
            return pd.Series(_objects([float("nan") if value is None else value for value in values]), dtype=object)
        try:
            return pd.Series(pd.array(values, dtype=content["dtype"]))
        except (TypeError, ValueError, ImportError):  # a type that this pandas has not
            return pd.Series(_objects(values), dtype=object)
    array = decode_array(content["array"], decode)
    if kind == "zoned":
        return pd.Series(array).dt.tz_localize("UTC").dt.tz_convert(content["zone"])
    return pd.Series(array, dtype=object) if array.dtype.kind == "O" else pd.Series(array)


def _objects(values: list[Any]) -> Any:
    """Return an array of objects, of which NumPy makes no further dimensions."""
    import numpy as np

    array = np.empty(len(values), dtype=object)
    for number, value in enumerate(values):
        array[number] = value
    return array
