"""Rows with an IMAGELIST, whose width varies: a walk from row to row.

Two dialects are in use. Counted: `n` and then n times `page kind`. Pairs: n times `page kind`, where n is the row's
IMAGECOUNT. A list is one or the other; the first region that holds a whole row decides.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.decimals import parse_numbers
from pipelines.ingestion.formats.klarf.defects import Images
from pipelines.ingestion.formats.klarf.image_walk import RowShape, Walked, walk
from pipelines.ingestion.formats.klarf.regions import Region
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Rows, TableBuilder
from pipelines.ingestion.formats.klarf.text import Tokens

Dialect = Literal["counted", "pairs"]


class ImageLists:
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
        if self._dialect is None:
            self._decide(region)
        walked = walk(region, self._shape(self._dialect or "counted"), resume=True)
        self._complain(region, walked.stuck)
        self._add(region, walked)
        return walked.used

    def _decide(self, region: Region) -> None:
        dialects: tuple[Dialect, ...] = ("counted", "pairs")
        for dialect in dialects:
            if dialect == "pairs" and not self._pairs_possible:
                continue
            walked = walk(region, self._shape(dialect), resume=False)
            whole = not region.last or walked.used == len(region.spans)
            if not walked.stuck and whole:
                if len(walked.begins):
                    self._dialect = dialect
                return

    @property
    def _pairs_possible(self) -> bool:
        return self._count_at is not None and self._count_at < self._before

    def _shape(self, dialect: Dialect) -> RowShape:
        if dialect == "pairs":
            assert self._count_at is not None
            return RowShape(self._count_at, None, self._table.width)
        # where the count stands behind the list, its place depends on the list, and it is not compared
        check = self._count_at if self._pairs_possible else None
        return RowShape(self._before, check, self._table.width + 1)

    def _add(self, region: Region, walked: Walked) -> None:
        begin, count = walked.begins, walked.counts
        if not len(begin):
            return
        before = begin[:, None] + np.arange(self._before)
        list_at = begin + self._before + (self._dialect != "pairs")
        behind = (list_at + 2 * count)[:, None] + np.arange(self._table.width - self._before)
        cells = np.concatenate([before, behind], axis=1)
        quoted = None if region.quoted is None else region.quoted[cells]
        first_row = self._table.rows
        self._table.add(
            Rows(region.text, region.spans[cells], quoted, self._source.locator(region.first), self._source.bytes_left)
        )
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

    def _complain(self, region: Region, stuck: list[int]) -> None:
        problems = self._source.problems
        room = problems.room
        for token in stuck[:room]:
            line, column = self._source.place(region.in_source(int(region.spans[token, 0])))
            problems.wrong(
                "bad-image-list",
                "the images of a defect do not fit its IMAGECOUNT",
                line=line,
                column=column,
                expected="IMAGECOUNT n and then `n page kind …`, or `page kind …` n times",
                remedy="lenient mode leaves such rows out and says which",
            )
        problems.unkept += max(0, len(stuck) - room)
