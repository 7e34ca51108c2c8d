"""What the columns of a defect list hold, and the one dtype each kind of column has in memory."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.document import ColumnType

Kind = Literal["int", "float", "text", "any"]

_WHOLE_NUMBERS = """
    DEFECTID XINDEX YINDEX CLASSNUMBER TEST CLUSTERNUMBER ROUGHBINNUMBER FINEBINNUMBER SAMPLEBINNUMBER REVIEWSAMPLE
    IMAGECOUNT CHANNELID MANSEMCLASS AUTOONSEMCLASS AUTOOFFSEMCLASS AUTOOFFOPTADC MANOPTCLASS FACLASS MICROSIGCLASS
    MACROSIGCLASS MACROSIGID ADDERFLAG DBCLASS DBGROUP CAREAREAGROUPCODE
"""
_NUMBERS = """
    X Y XREL YREL XSIZE YSIZE DSIZE DEFECTAREA CONTRAST KILLPROB CRITICALAREA GDSX GDSY PHI CELLSIZE PCI LINECOMPLEXITY
    DCIRANGE DBCRITICALITYINDEX
"""
_INTS = frozenset(_WHOLE_NUMBERS.split())
_FLOATS = frozenset(_NUMBERS.split())
_DECLARED: dict[str, Kind] = {"int32": "int", "int64": "int", "float": "float", "double": "float", "string": "text"}

_INT32 = np.iinfo(np.int32)
_EXACT = 1 << 53


def is_image_column(column: ColumnType) -> bool:
    """True for the column that lists pictures, whose width varies from row to row."""
    return column.type.lower() == "imagelist" or column.name in {"IMAGELIST", "IMAGEINFO"}


def kind_of(column: ColumnType) -> Kind:
    """What the column should hold: by its declared type, else by its name; 'any' = let the content decide."""
    declared = _DECLARED.get(column.type.lower())
    if declared:
        return declared
    return "int" if column.name in _INTS else "float" if column.name in _FLOATS else "any"


def canonical(column: ColumnType, values: NDArray[Any]) -> NDArray[Any]:
    """The column in its one dtype, so that equal content is equal in memory.

    Whole numbers are int32 where they fit, else int64; in a whole-number column with NA, float64 with NaN. Everything
    else is float64 or strings.

    Raises:
        InputError: the values are not one-dimensional numbers or strings, or infinite.
    """
    kind = kind_of(column)
    textual = values.dtype.kind in "TUO"
    if values.ndim != 1 or values.dtype.kind not in "buifTUO" or (textual and kind in {"int", "float"}):
        raise InputError(
            "bad defect column",
            where=column.name,
            expected="one-dimensional " + {"any": "numbers or strings", "text": "strings"}.get(kind, "numbers"),
            got=f"{values.dtype} {values.shape}",
        )
    if kind == "text" or (textual and len(values)):
        return values.astype(np.dtypes.StringDType(), copy=False)
    if not len(values):
        return np.empty(0, np.int32 if kind == "int" else np.float64)
    if values.dtype.kind == "f":
        return _floats(column, values.astype(np.float64, copy=False), whole=kind == "int")
    return values.astype(np.float64) if kind == "float" else narrow(values)


def narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers as int32 where they fit, else int64; `values` is not empty."""
    fits = _INT32.min <= values.min() and values.max() <= _INT32.max
    return values.astype(np.int32 if fits else np.int64, copy=False)


def _floats(column: ColumnType, values: NDArray[np.float64], whole: bool) -> NDArray[Any]:
    if np.isinf(values).any():
        raise InputError(
            "infinite value in a defect column", where=column.name, expected="finite numbers or NaN for NA"
        )
    if whole and np.all(np.abs(values) < _EXACT) and np.all(values == np.trunc(values)):
        return narrow(values.astype(np.int64))
    return values
