"""A column that grows while a file is read, without ever being in memory twice."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.columns import Kind, kind_of
from pipelines.ingestion.formats.klarf.decimals import parse_numbers
from pipelines.ingestion.formats.klarf.document import ColumnType
from pipelines.ingestion.formats.klarf.text import Tokens

_STRINGS = np.dtypes.StringDType()
_INT32 = np.iinfo(np.int32)
_EXACT = 1 << 53
_SPARE = 16
"""How much more room than expected is made: one part in so many."""


class GrowingColumn:
    """Cells in, array out. The dtype follows the content, see `columns.canonical`.

    A column of unknown kind holds numbers until a word turns up; from then on, and for what came before, it holds
    strings. Numbers in such a mixed column keep their value, not their spelling.
    """

    def __init__(self, column: ColumnType) -> None:
        self.column = column
        self._kind: Kind = kind_of(column)
        self._numbers: NDArray[Any] = np.empty(0, np.float64 if self._kind == "float" else np.int32)
        self._used = 0
        self._strings: list[NDArray[Any]] | None = [] if self._kind == "text" else None

    def add(self, tokens: Tokens, quoted: NDArray[np.bool_] | None, left: int = 0) -> NDArray[np.int64]:
        """Append cells.

        Args:
            tokens: N cells, quotes taken off; quoted ones may be empty.
            quoted: (N,) which cells stood in quotes; None = none.
            left: how many more may come; room for them is made at once, which costs no memory until it is used.

        Returns:
            Indices of cells in a column of numbers that are none; they count as missing.
        """
        none = np.empty(0, np.int64)
        if self._kind == "text":
            self._append_strings(_spellings(tokens))
            return none
        if quoted is not None and quoted.any() and self._kind == "any":
            self._append_strings(_mixed(tokens, quoted))
            return none
        filled = np.flatnonzero(tokens.end > tokens.start) if quoted is not None else None
        numbers = parse_numbers(tokens if filled is None else tokens.pick(filled), spelled=self._kind == "any")
        if self._kind == "any" and (self._strings is not None or len(numbers.bad)):
            self._append_strings(_mixed(tokens, np.zeros(len(tokens), np.bool_)))
            return none
        if filled is None or len(filled) == len(tokens):
            self._append_numbers(numbers.values, left)
            return numbers.bad
        values = np.full(len(tokens), np.nan)
        values[filled] = numbers.values
        self._append_numbers(values, left)
        return filled[numbers.bad]

    def finish(self) -> NDArray[Any]:
        """The column; add nothing afterwards."""
        if self._strings is not None:
            return np.concatenate([np.empty(0, _STRINGS), *self._strings])
        self._numbers.resize(self._used, refcheck=False)
        return self._numbers

    @property
    def inexact(self) -> bool:
        """True if whole numbers too large for a double had to become doubles, next to a missing value."""
        return (
            self._kind == "int"
            and self._numbers.dtype.kind == "f"
            and bool(np.any(np.abs(self._numbers[: self._used]) >= _EXACT))
        )

    def _append_numbers(self, values: NDArray[Any], left: int) -> None:
        have = self._numbers.dtype
        want = have
        if values.dtype.kind == "f" or have.kind == "f":
            want = np.dtype(np.float64)
        elif have == np.int32 and values.dtype.itemsize > 1 and not _fits_int32(values):
            want = np.dtype(np.int64)
        total = self._used + len(values)
        if want != have or total > len(self._numbers):
            expected = total + max(left, total // 2)
            larger = np.empty(max(expected + expected // _SPARE, len(self._numbers)), want)
            larger[: self._used] = self._numbers[: self._used]
            self._numbers = larger
        self._numbers[self._used : total] = values
        self._used = total

    def _append_strings(self, cells: list[str]) -> None:
        if self._strings is None:
            self._strings = [np.array(_spell(self._numbers[: self._used]), _STRINGS)] if self._used else []
            self._numbers = np.empty(0, np.int32)
        self._strings.append(np.array(cells, _STRINGS))


def _spellings(tokens: Tokens) -> list[str]:
    return [tokens.spelling(index).decode("latin-1") for index in range(len(tokens))]


def _mixed(tokens: Tokens, quoted: NDArray[np.bool_]) -> list[str]:
    """Cells of a column that holds words: quoted ones and words as they stand, numbers in their normal spelling."""
    cells = _spellings(tokens)
    bare = np.flatnonzero(~quoted)
    numbers = parse_numbers(tokens.pick(bare), spelled=True)
    is_number = np.ones(len(bare), np.bool_)
    is_number[numbers.bad] = False
    for index, text in zip(bare[is_number].tolist(), _spell(numbers.values[is_number]), strict=True):
        cells[index] = text
    return cells


def _fits_int32(values: NDArray[Any]) -> bool:
    return not len(values) or bool(_INT32.min <= values.min() and values.max() <= _INT32.max)


def _spell(values: NDArray[Any]) -> list[str]:
    """Numbers as words, the same whether or not the numbers before them had decimals."""
    words = map(repr, values.tolist())
    if values.dtype.kind != "f":
        return list(words)
    whole = (np.abs(values) < _EXACT) & (values == np.trunc(values))
    return [
        str(int(value)) if is_whole else "NA" if word == "nan" else word
        for value, is_whole, word in zip(values.tolist(), whole.tolist(), words, strict=True)
    ]
