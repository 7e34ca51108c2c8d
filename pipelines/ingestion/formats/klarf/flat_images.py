"""Rows with an IMAGELIST, whose width varies: a walk from row to row.

Two dialects are in use. Counted: `n` and then n times `page kind`. Pairs: n times `page kind`, where n is the row's
IMAGECOUNT. A list is one or the other; the first region that holds a whole row decides.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.decimals import parse_numbers
from pipelines.ingestion.formats.klarf.defects import Images
from pipelines.ingestion.formats.klarf.regions import Region
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Rows, TableBuilder
from pipelines.ingestion.formats.klarf.text import Tokens

Dialect = Literal["counted", "pairs"]

_DIGITS = 7
"""Counts with more digits are no counts of images."""


@dataclass(frozen=True, slots=True, eq=False)
class _Walked:
    """Where rows begin (token), how many images each has; `used` tokens; `stuck` = where a row made no sense."""

    begins: NDArray[np.int64]
    counts: NDArray[np.int64]
    used: int
    stuck: int | None


class ImageWalk:
    """Reads the rows of one list."""

    def __init__(self, source: Source, table: TableBuilder, file: str) -> None:
        assert table.image_at is not None
        self._source = source
        self._table = table
        self._file = file
        self._before = table.image_at
        self._count_at = table.plain_place("IMAGECOUNT")
        self._dialect: Dialect | None = None

    def take(self, region: Region) -> int:
        """Take all whole rows of a region; the number of tokens taken.

        Raises:
            InputError: in strict mode, neither dialect fits.
        """
        token = 0
        while True:
            walked = self._walk_either(region, token)
            self._add(region, walked)
            if walked.stuck is None:
                return walked.used
            self._complain(region, walked.stuck)
            token = self._next_line(region, walked.stuck)
            if token == len(region.spans):
                return token

    def _walk_either(self, region: Region, token: int) -> _Walked:
        if self._dialect is not None:
            return self._walk(region, token, self._dialect)
        counted = self._walk(region, token, "counted")
        fits = counted.stuck is None and (not region.last or counted.used == len(region.spans))
        if not fits and self._pairs_possible:
            pairs = self._walk(region, token, "pairs")
            if pairs.stuck is None and (not region.last or pairs.used == len(region.spans)):
                self._dialect = "pairs"
                return pairs
        if len(counted.begins):
            self._dialect = "counted"
        return counted

    @property
    def _pairs_possible(self) -> bool:
        return self._count_at is not None and self._count_at < self._before

    def _walk(self, region: Region, token: int, dialect: Dialect) -> _Walked:
        counted = dialect == "counted"
        key = self._before if counted else self._count_at
        assert key is not None
        # where the count stands behind the list, its place depends on the list, and it is not compared
        check = self._count_at if counted and self._pairs_possible else None
        fixed = self._table.width + counted
        walked = self._without_images(region, token, key, check, fixed)
        if walked is None:
            walked = _step_by_step(region, token, key, check, fixed)
        return _in_step(region, walked)

    @staticmethod
    def _without_images(region: Region, token: int, key: int, check: int | None, fixed: int) -> _Walked | None:
        """The same as `_step_by_step` for a region of whole rows without a single image, which is the usual one."""
        count, rest = divmod(len(region.spans) - token, fixed)
        if rest or not count:
            return None
        spans = region.spans[token:].reshape(count, fixed, 2)
        for place in (key,) if check is None else (key, check):
            start, end = spans[:, place, 0], spans[:, place, 1]
            if np.any(end - start != 1) or np.any(region.text.characters[start] != ord("0")):
                return None
        begins = token + fixed * np.arange(count)
        return _Walked(begins, np.zeros(count, np.int64), len(region.spans), None)

    def _add(self, region: Region, walked: _Walked) -> None:
        begin, count = walked.begins, walked.counts
        if not len(begin):
            return
        before = begin[:, None] + np.arange(self._before)
        list_at = begin + self._before + (self._dialect != "pairs")
        behind = (list_at + 2 * count)[:, None] + np.arange(self._table.width - self._before)
        cells = np.concatenate([before, behind], axis=1)
        quoted = None if region.quoted is None else region.quoted[cells]
        first_row = self._table.rows
        self._table.add(Rows(region.text, region.spans[cells], quoted, self._source, region.first))
        total = int(count.sum())
        if not total:
            return
        ordinal = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
        page_at = np.repeat(list_at, count) + 2 * ordinal
        strings = np.dtypes.StringDType()
        self._table.add_images(
            Images(
                row=(first_row + np.repeat(np.arange(len(count)), count)).astype(np.int32),
                page=self._whole(region, page_at),
                kind=self._whole(region, page_at + 1).astype(strings),
                file=np.full(total, self._file, strings),
                format=np.full(total, "", strings),
            )
        )

    def _whole(self, region: Region, at: NDArray[np.int64]) -> NDArray[np.int32]:
        """Whole numbers; what is none is an error, or -1 in lenient mode."""
        spans = region.spans[at]
        filled = np.flatnonzero(spans[:, 1] > spans[:, 0])
        numbers = parse_numbers(Tokens(region.text, spans[filled, 0], spans[filled, 1]))
        values = np.full(len(at), np.nan)
        values[filled] = numbers.values
        sound = (np.abs(values) < 1 << 31) & (values == np.trunc(values))
        for index in np.flatnonzero(~sound)[: self._source.problems.room].tolist():
            line, column = self._source.place(region.in_source(int(spans[index, 0])))
            self._source.problems.wrong(
                "bad-image", "an image reference is no whole number", line=line, column=column, expected="page and kind"
            )
        return np.where(sound, values, -1).astype(np.int32)

    def _complain(self, region: Region, token: int) -> None:
        line, column = self._source.place(region.in_source(int(region.spans[token, 0])))
        self._source.problems.wrong(
            "bad-image-list",
            f"the images of a defect near row {self._table.rows + 1} do not fit its IMAGECOUNT",
            line=line,
            column=column,
            expected="IMAGECOUNT n and then `n page kind …`, or `page kind …` n times",
            remedy="lenient mode leaves such rows out and says which",
        )

    def _next_line(self, region: Region, token: int) -> int:
        """First token on a line after that of `token`."""
        newline = np.flatnonzero(region.text.characters[region.spans[token, 0] :] == ord("\n"))
        if not len(newline):
            return len(region.spans)
        return int(np.searchsorted(region.spans[:, 0], region.spans[token, 0] + newline[0]))


def _step_by_step(region: Region, token: int, key: int, check: int | None, fixed: int) -> _Walked:
    starts, ends = region.spans[:, 0].tolist(), region.spans[:, 1].tolist()
    data = region.text.characters.tobytes()
    begins: list[int] = []
    counts: list[int] = []
    stuck = None
    while token + key < len(starts):
        cell = data[starts[token + key] : ends[token + key]]
        if not cell.isdigit() or len(cell) > _DIGITS:
            stuck = token
            break
        if check is not None and data[starts[token + check] : ends[token + check]].lstrip(b"0") != cell.lstrip(b"0"):
            stuck = token
            break
        width = fixed + 2 * int(cell)
        if token + width > len(starts):
            break
        begins.append(token)
        counts.append(int(cell))
        token += width
    return _Walked(np.array(begins, np.int64), np.array(counts, np.int64), token, stuck)


def _in_step(region: Region, walked: _Walked) -> _Walked:
    """Take back a row that ends within a line, if elsewhere a line ends within a row: one of them is cut wrongly."""
    if not len(walked.begins):
        return walked
    first = int(walked.begins[0])
    rows = walked.begins if walked.stuck is None else np.append(walked.begins, walked.stuck)
    newlines = np.flatnonzero(region.text.characters == ord("\n"))
    line = np.searchsorted(newlines, region.spans[first : walked.used + 1, 0])
    opens_line = np.diff(line, prepend=-1) > 0
    opens_row = np.zeros(len(line), np.bool_)
    opens_row[rows - first] = True
    inside = np.flatnonzero(opens_row & ~opens_line)
    if walked.stuck is None:
        opens_row[walked.used - first :] = True  # a row that is not whole yet
        if not np.any(opens_line & ~opens_row):
            return walked
    if not len(inside):
        return walked
    row = int(np.searchsorted(walked.begins, inside[0] + first)) - 1
    token = int(walked.begins[row])
    return _Walked(walked.begins[:row], walked.counts[:row], token, token)
