"""WM-811K as published: `LSWMD.pkl`, a pickled pandas table of 2015, read without running any code it names.

A pickle is a program. This reader executes none of it: classes of pandas become inert stand-ins that keep their
arguments, of numpy only array construction is allowed, and any other name is refused. That also makes it independent
of the pandas version, which can no longer open the file itself.

Columns: waferMap, lotName, waferIndex, trianTestLabel (sic), failureType; labels are nested arrays such as
[['Edge-Loc']], empty where nobody labelled the wafer. Unlabelled wafers are left out and counted. The published split
('Training' or 'Test') is kept beside each wafer.
"""

import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from models.domain.errors import InputError, UnsafeInputError
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.wafer_table import die_map

_NUMPY_BUILDERS = {
    "_reconstruct": "numpy._core.multiarray",
    "scalar": "numpy._core.multiarray",
    "_frombuffer": "numpy._core.numeric",
}


_SIDES: Mapping[str, Literal["train", "test"]] = {"Training": "train", "Test": "test"}


class _Inert:
    """Stand-in for any pandas object: remembers what it was built from and does nothing."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Self:
        made = super().__new__(cls)  # not __init__: pickle makes objects without calling it
        made.arguments, made.state = arguments, None
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _inert(*arguments: Any) -> _Inert:
    """Stand-in for functions that build pandas objects, such as `_new_Index`; the class argument comes first."""
    return _Inert(*arguments)


def _latin1(text: str, encoding: str) -> bytes:
    """How old protocols write bytes; any other codec could decompress or decode without end."""
    if encoding not in ("latin1", "latin-1"):
        raise UnsafeInputError("pickle asks for a codec", expected="latin1", got=encoding)
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocol 2 writes empty bytes; `bytes` itself would also take a size and fill the memory."""
    return b""


_PLAIN: Mapping[tuple[str, str], Any] = {
    ("builtins", "slice"): slice,
    ("__builtin__", "slice"): slice,
    ("__builtin__", "bytes"): _no_bytes,
    ("copy_reg", "_reconstructor"): _inert,
    ("copyreg", "_reconstructor"): _inert,
    ("_codecs", "encode"): _latin1,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        root = module.partition(".")[0]
        if root == "numpy" and name in _NUMPY_BUILDERS:
            return super().find_class(_NUMPY_BUILDERS[name], name)
        if root == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if root == "pandas":
            return _Inert if name[0].isupper() else _inert
        if root == "pyarrow":
            raise InputError(
                "table pickled by pandas 3, with Arrow inside",
                expected="LSWMD.pkl as published, or Parquet",
                remedy="save it with to_parquet (height, width, map, label, lot_group) and import `wafers-parquet`",
            )
        raise UnsafeInputError(
            "pickle names code that a table of wafers does not need",
            expected="pandas and numpy data only",
            got=f"{module}.{name}",
            remedy="do not trust this file",
        )


def open_lswmd(path: Path) -> Origin:
    """Open the published table.

    Raises:
        InputError: not such a table.
        UnsafeInputError: the pickle names anything but pandas and numpy data.
    """
    table = _columns(path)
    lots, labels, maps = table["lotName"], table["failureType"], table["waferMap"]
    names = [_text(label) for label in labels]
    blank = names.count("")
    notes = (f"{blank} wafers without a label left out",) if blank else ()
    sides = [_text(side) for side in table.get("trianTestLabel", [""] * len(names))]
    return Origin(
        _samples(path, lots, names, maps, sides), normal="none", exclusive=True, grouped_by="lot", notes=notes
    )


def _samples(
    path: Path, lots: Iterable[Any], names: Iterable[str], maps: Iterable[Any], sides: Iterable[str]
) -> Iterator[Sample]:
    for row, (lot, name, states, side) in enumerate(zip(lots, names, maps, sides, strict=True)):
        if not name:
            continue
        origin = f"{path.name}:{row}"
        if not isinstance(states, np.ndarray) or states.ndim != 2:
            raise InputError("wafer map is no table of dies", where=origin, got=type(states).__name__)
        whole = states.astype(np.uint8)
        height, width = whole.shape
        dies = die_map(whole.tobytes(), height, width, origin)
        yield Sample((name,), _text(lot), dies, origin, _SIDES.get(side))


def _columns(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as stream:
            # latin1: the file was pickled by Python 2, whose strings were bytes.
            frame = _Reader(stream, encoding="latin1").load()
        columns = dict(_table(frame))
    except InputError:
        raise
    except (
        OSError,
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
    ) as e:
        raise InputError(
            "cannot read LSWMD", where=str(path), expected="a pickled pandas table", got=f"{type(e).__name__}: {e}"
        ) from e
    missing = [name for name in ("waferMap", "lotName", "failureType") if name not in columns]
    if missing:
        raise InputError(
            "not the WM-811K table", where=str(path), expected="waferMap, lotName, failureType", got=f"no {missing}"
        )
    return columns


def _table(frame: _Inert) -> Iterator[tuple[str, Any]]:
    """Name and values of every column, from the two layouts pandas has used for its blocks."""
    manager = frame
    while isinstance(manager.state, dict | _Inert):  # a frame is its manager, kept under a name of the time
        inside = manager.state
        manager = inside if isinstance(inside, _Inert) else inside["_mgr" if "_mgr" in inside else "_data"]
    if isinstance(manager.state, tuple):  # up to pandas 1.2: (axes, values, items, {"0.14.1": …})
        inner = manager.state[3]["0.14.1"]
        axes, blocks = inner["axes"], [(block["values"], block["mgr_locs"]) for block in inner["blocks"]]
    else:  # since pandas 1.3: BlockManager(blocks, axes), each block from (values, place, dimensions)
        stored, axes = manager.arguments[-2:]
        blocks = [(block.arguments[0], block.arguments[1]) for block in stored]
    names = _values(axes[0])
    for values, place in blocks:
        for position, column in zip(np.arange(len(names))[_place(place)], _rows(values), strict=True):
            yield str(names[position]), column


def _values(index: _Inert) -> Any:
    """Labels of an index, from either layout."""
    for found in (*index.arguments, index.state):
        if isinstance(found, dict) and "data" in found:
            return _unwrap(found["data"])
        if isinstance(found, tuple) and found and isinstance(found[0], np.ndarray):
            return found[0]
    raise ValueError("index without labels")


def _unwrap(values: Any) -> Any:
    """The object array inside pandas' string arrays."""
    while isinstance(values, _Inert):
        inner = [part for part in (values.state, *values.arguments) if part is not None]
        values = next(
            found
            for part in inner
            for found in (part.values() if isinstance(part, dict) else part if isinstance(part, tuple) else (part,))
            if isinstance(found, np.ndarray | _Inert)
        )
    return values


def _place(place: Any) -> Any:
    return place if isinstance(place, np.ndarray | slice) else np.asarray(place)


def _rows(values: Any) -> Any:
    whole = _unwrap(values)
    return whole if whole.ndim > 1 else whole[None]


def _text(value: Any) -> str:
    """The text inside nested arrays such as [['Edge-Loc']]; empty for an empty array."""
    flat = np.asarray(value, dtype=object).ravel()
    return str(flat[0]) if flat.size else ""
