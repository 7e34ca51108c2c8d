"""Task of the child: a pandas table from a pickle, as WM-811K was published (`LSWMD.pkl`, pandas of 2015).

A pickle is a program. None of it is run here: classes and functions of pandas become inert stand-ins that remember what
they were given, of NumPy only the building of plain arrays is allowed, and any other name is refused. So the file opens
whatever pandas is installed, or none: pandas has moved those modules several times and cannot open it itself any more.
"""

import io
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.decoding.wire import Reply

_MAPS_PER_REPLY = 2048


class Stand:
    """Stands for any object of pandas: remembers what it was built from and does nothing."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "Stand":
        """Not `__init__`, which pickles do not call."""
        stand = super().__new__(cls)
        stand.arguments, stand.state = arguments, None
        return stand

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _stand(*arguments: Any) -> Stand:
    return Stand(*arguments)


def _reconstruct(_kind: Any, _shape: Any, _code: Any) -> NDArray[Any]:
    """An empty array that `__setstate__` fills; the class named in the pickle is not used."""
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _scalar(dtype: np.dtype[Any], data: Any = None) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise UnsafeInputError("pickled scalar of objects", code="unsafe-pickle")
    raw = data.encode("latin-1") if isinstance(data, str) else bytes(data or bytes(dtype.itemsize))
    return np.frombuffer(raw, dtype, count=1)[0]


def _frombuffer(data: Any, dtype: np.dtype[Any], shape: Any, order: str) -> NDArray[Any]:
    """`numpy._core.numeric._frombuffer`, of protocol 5."""
    if dtype.hasobject:
        raise UnsafeInputError("pickled array of raw pointers", code="unsafe-pickle")
    return np.frombuffer(bytes(data), dtype).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: str, _encoding: str = "latin1") -> bytes:
    """`_codecs.encode`: how protocol 2 writes bytes."""
    return text.encode("latin-1")


def _bytes(data: Any = b"", encoding: str = "latin-1") -> bytes:
    """`bytes` and `bytearray`, without their form that takes a length and reserves it."""
    return data.encode("latin-1") if isinstance(data, str) and encoding else bytes(memoryview(data))


def _arrow_texts(data: tuple[Any, ...]) -> NDArray[Any]:
    """`pyarrow.lib._restore_array` of a text column, which is what pandas 3 keeps texts in."""
    kind, length, _nulls, offset, buffers = data[:5]
    if kind not in ("string", "large_string", "utf8", "large_utf8"):
        raise UnsafeInputError("pickled Arrow data other than text", got=str(kind)[:100], code="unsafe-pickle")
    ends = np.frombuffer(buffers[1], np.int64 if kind.startswith("large") else np.int32)
    ends = ends[offset : offset + length + 1]
    texts = np.empty(length, object)
    for i in range(length):
        texts[i] = bytes(buffers[2][ends[i] : ends[i + 1]]).decode(errors="replace") if buffers[2] is not None else ""
    return texts


_BUILDERS: dict[tuple[str, str], Callable[..., Any]] = {
    **{
        (module, name): function
        for module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
        for name, function in (("_reconstruct", _reconstruct), ("scalar", _scalar), ("_frombuffer", _frombuffer))
    },
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "object"): object,
    ("__builtin__", "object"): object,
    ("builtins", "slice"): slice,
    ("__builtin__", "slice"): slice,
    ("builtins", "bytes"): _bytes,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytes,
    ("__builtin__", "bytearray"): _bytes,
    ("pyarrow.lib", "type_for_alias"): str,
    ("pyarrow.lib", "py_buffer"): _bytes,
    ("pyarrow.lib", "_restore_array"): _arrow_texts,
    ("copyreg", "_reconstructor"): _stand,
    ("copy_reg", "_reconstructor"): _stand,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        builder = _BUILDERS.get((module, name))
        if builder is not None:
            return builder
        if module.partition(".")[0] == "pandas" and "." not in name:
            # Functions are called, classes are instantiated with NEWOBJ, which wants a class.
            return Stand if name[:1].isupper() else _stand
        raise UnsafeInputError(
            "pickle names code that no table of wafers needs",
            expected="pandas and NumPy data",
            got=f"{module}.{name}"[:200],
            remedy="do not trust this file",
            code="unsafe-pickle",
        )

    def persistent_load(self, _place: Any) -> Any:
        raise UnsafeInputError("pickle refers to something outside of itself", code="unsafe-pickle")


def frame(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """Wafers of a pickled pandas table in the columns of WM-811K.

    Each reply holds some wafers: `heights`, `widths` and `states` (all dies of all maps) as arrays; `lots`, `wafers`
    and `labels` in the meta ('' = none).

    Args:
        file: open file descriptor.
        arguments: `rows`, how many wafers there may be.

    Raises:
        UnsafeInputError: the pickle names anything but pandas and NumPy data, or has too many rows.
        InputError: no such table.
        RetryableError: truncated.
    """
    with os.fdopen(os.dup(file), "rb") as stream:
        columns = load_columns(stream)
    maps = columns.get("waferMap")
    if maps is None:
        raise InputError(
            "pickled table without wafer maps", expected="column waferMap", got=", ".join(map(str, columns))[:300]
        )
    count = len(maps)
    if count > int(arguments["rows"]):
        raise UnsafeInputError(
            "too many wafers for one inspection",
            expected=f"at most {arguments['rows']}",
            got=str(count),
            remedy="raise the limit, or use `waferwatch dataset import wm811k`",
            code="too-many",
        )
    lots, wafers, labels = (columns.get(name, [""] * count) for name in ("lotName", "waferIndex", "failureType"))
    for begin in range(0, count, _MAPS_PER_REPLY):
        some = range(begin, min(begin + _MAPS_PER_REPLY, count))
        states = [_map(maps[i], i) for i in some]
        yield Reply(
            {
                "lots": [text_of(lots[i]) for i in some],
                "wafers": [text_of(wafers[i]) for i in some],
                "labels": [text_of(labels[i]) for i in some],
            },
            {
                "heights": np.array([m.shape[0] for m in states], np.int64),
                "widths": np.array([m.shape[1] for m in states], np.int64),
                "states": np.concatenate([m.reshape(-1) for m in states]),
            },
        )


def load_columns(stream: io.BufferedIOBase | Any) -> dict[str, NDArray[Any]]:
    """Columns of a pickled pandas DataFrame, name -> values.

    Raises:
        UnsafeInputError: the pickle names anything but pandas and NumPy data.
        InputError: it is no DataFrame.
        RetryableError: it ends too early.
    """
    try:
        # latin1: the file was pickled by Python 2, whose texts were bytes.
        root = _Unpickler(stream, encoding="latin1").load()
    except EOFError as error:
        raise RetryableError("pickle ends too early", remedy="wait until it is written", code="truncated") from error
    except (UnsafeInputError, MemoryError):
        raise
    except Exception as error:
        # A broken pickle can fail in as many ways as there are opcodes; all of them mean the same.
        if "truncated" in str(error):
            raise RetryableError(
                "pickle ends too early", remedy="wait until it is written", code="truncated"
            ) from error
        raise InputError("broken pickle", got=f"{type(error).__name__}: {error}"[:300], code="broken-pickle") from error
    try:
        return _columns(root)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise InputError("pickle is no pandas table", got=str(error)[:300], code="broken-pickle") from error


def _columns(root: Any) -> dict[str, NDArray[Any]]:
    """Find column names and blocks in whatever shape this version of pandas left them."""
    state = getattr(root, "state", None)
    manager = state.get("_mgr", state.get("_data")) if isinstance(state, dict) else state
    axes, blocks = _manager_parts(manager)
    names = [str(name) for name in _index_values(axes[0])]
    columns: dict[str, NDArray[Any]] = {}
    for values, places in blocks:
        for row, place in zip(_block_rows(values), places, strict=True):
            columns[names[place]] = row
    if len(columns) != len(names):
        raise ValueError("columns without values")
    return columns


def _manager_parts(manager: Any) -> tuple[Any, list[tuple[Any, list[int]]]]:
    """(axes, [(values, places)]) of a BlockManager."""
    state = manager.state if manager.state is not None else manager.arguments
    if isinstance(state, tuple) and state and isinstance(state[-1], dict) and "0.14.1" in state[-1]:
        # pandas 0.14 to 1.2: the new state travels in a dict behind the old one.
        new = state[-1]["0.14.1"]
        return new["axes"], [(block["values"], _places(block["mgr_locs"])) for block in new["blocks"]]
    # pandas 1.3 and later: BlockManager(blocks, axes), each block built by _unpickle_block(values, places, ndim).
    blocks, axes = manager.arguments[-2:] if len(manager.arguments) >= 2 else state[:2]
    return axes, [(block.arguments[0], _places(block.arguments[1])) for block in blocks]


def _places(places: Any) -> list[int]:
    if isinstance(places, Stand):
        places = places.arguments[0]
    if isinstance(places, slice):
        return list(range(places.start or 0, min(places.stop, 1 << 16), places.step or 1))
    return [int(place) for place in np.asarray(places).reshape(-1)]


def _index_values(index: Any) -> list[Any]:
    """Values of a pandas Index: an array somewhere among what it was built from."""
    for part in _walk(index):
        if isinstance(part, dict) and "data" in part:
            return list(_array(part["data"]))
    for part in _walk(index):
        if isinstance(part, np.ndarray):
            return list(part)
    raise ValueError("index without values")


def _block_rows(values: Any) -> list[NDArray[Any]]:
    array = _array(values)
    return [array] if array.ndim == 1 else list(array)


def _array(values: Any) -> NDArray[Any]:
    """The array itself, or the one inside an extension array of pandas."""
    if isinstance(values, np.ndarray):
        return values
    arrays = [part for part in _walk(values) if isinstance(part, np.ndarray)]
    if not arrays:
        raise ValueError("column without values")
    return max(arrays, key=lambda array: array.size)


def _walk(part: Any, depth: int = 0) -> Iterator[Any]:
    yield part
    if depth > 8:
        return
    if isinstance(part, Stand):
        yield from _walk(part.arguments, depth + 1)
        yield from _walk(part.state, depth + 1)
    elif isinstance(part, tuple | list) and len(part) < 1000:
        for item in part:
            yield from _walk(item, depth + 1)
    elif isinstance(part, dict):
        for item in part.values():
            yield from _walk(item, depth + 1)


def _map(value: Any, row: int) -> NDArray[np.uint8]:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "biuf" or value.size == 0:
        raise InputError("wafer map is no table of dies", expected="numbers, rows x columns", got=f"row {row}")
    if value.min() < 0 or value.max() > 255:
        raise InputError("unknown die state", expected="0 no die | 1 pass | 2 fail", got=f"row {row}")
    return value.astype(np.uint8)


def text_of(value: Any) -> str:
    """Text of a cell; labels of WM-811K are nested arrays such as [['Edge-Loc']], empty where nobody labelled."""
    while isinstance(value, np.ndarray | list | tuple):
        if len(value) == 0 or (isinstance(value, np.ndarray) and value.size == 0):
            return ""
        value = value.flat[0] if isinstance(value, np.ndarray) else value[0]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
