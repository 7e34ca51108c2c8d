"""Cells of defect rows as text: the shortest decimal that reads back as the same number."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.columns import is_image_column, kind_of
from pipelines.ingestion.formats.klarf.defects import Defects, Images
from pipelines.ingestion.formats.klarf.words import quote

_ROWS = 1 << 14
"""Rows made into text at once: few enough to keep memory flat, many enough to keep Python out of the way."""

_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e16
"""Python writes numbers beyond these with an exponent."""

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/+-]*\Z")


def row_texts(table: Defects, start: int, stop: int, *, nested: bool) -> Iterator[list[str]]:
    """Rows [start, stop) of a table as text of either dialect, block by block."""
    for first in range(start, stop, _ROWS):
        last = min(first + _ROWS, stop)
        columns = [
            _image_cells(table.images, first, last, nested=nested)
            if is_image_column(column)
            else cell_texts(table.columns[column.name][first:last], kind_of(column) == "text")
            for column in table.layout
        ]
        yield [" ".join(cells) for cells in zip(*columns, strict=True)]


def cell_texts(values: NDArray[Any], textual: bool) -> list[str]:
    """One cell for each value; NA for a missing one.

    Args:
        values: a column, or some of its rows.
        textual: the column is declared to hold strings, so all are quoted.
    """
    if values.dtype.kind == "T":
        return [value if not textual and _is_plain(value) else quote(value) for value in values.tolist()]
    cells = list(map(repr, values.tolist()))
    if values.dtype.kind != "f":
        return cells
    size = np.abs(values)
    if not np.all((size < _PLAIN_BELOW) & ((size >= _PLAIN_FROM) | (size == 0))):
        cells = [_spelled(cell) for cell in cells]
    return cells


def _spelled(cell: str) -> str:
    """NA for nan; `1.0e+16` for `1e+16`, for without a point it could be a name."""
    if cell == "nan":
        return "NA"
    return cell.replace("e", ".0e") if "e" in cell and "." not in cell else cell


def _is_plain(value: str) -> bool:
    """True if a reader cannot take the bare word for a number, a missing value or punctuation."""
    return _BARE.match(value) is not None and value.upper() not in {"NA", "NAN", "INF", "INFINITY"}


def _image_cells(images: Images, start: int, stop: int, *, nested: bool) -> list[str]:
    cells = ["N" if nested else "0"] * (stop - start)
    first, last = np.searchsorted(images.row, [start, stop])
    if first == last:
        return cells
    rows, begins = np.unique(images.row[first:last], return_index=True)
    ends = [*begins[1:].tolist(), int(last - first)]
    for row, begin, end in zip(rows.tolist(), begins.tolist(), ends, strict=True):
        span = slice(first + begin, first + end)
        pages, kinds = images.page[span].tolist(), images.kind[span].tolist()
        if nested:
            files, formats = images.file[span].tolist(), images.format[span].tolist()
            entries = (
                f"{quote(file)} {quote(format_)} {page} {quote(kind)}"
                for file, format_, page, kind in zip(files, formats, pages, kinds, strict=True)
            )
            cells[row - start] = f"Images {len(pages)} {{{', '.join(entries)}}}"
        else:
            pairs = " ".join(f"{page} {_number(kind)}" for page, kind in zip(pages, kinds, strict=True))
            cells[row - start] = f"{len(pages)} {pairs}"
    return cells


def _number(kind: str) -> str:
    if not kind.lstrip("-").isdigit():
        raise InputError("image kind is no number", expected="a number, in the flat dialect", got=kind)
    return kind
