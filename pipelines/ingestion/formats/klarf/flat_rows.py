"""Rows of a flat defect list: a stream of values in which line ends mean nothing, with as many values a row as columns.

Line ends are still worth a look. A value too few in one row and one too many in another leave the total right and shift
all rows between them; tools that write one row a line show where.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.flat_images import ImageLists
from pipelines.ingestion.formats.klarf.regions import Region, next_region
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Rows, TableBuilder

_NEWLINE = 10


def read_flat_rows(source: Source, table: TableBuilder, image_file: str) -> None:
    """Read a list up to and with its semicolon.

    Args:
        source: stands behind the keyword.
        table: takes the rows.
        image_file: the file that images of these rows are in.

    Raises:
        InputError: in strict mode, the values do not make rows.
        RetryableError: the file ends inside the list.
        UnsafeInputError: a limit is broken.
    """
    walk = None if table.image_at is None else ImageLists(source, table, image_file)
    at_least = source.limits.block_bytes
    while True:
        region = next_region(source, at_least)
        used = _fixed_rows(source, table, region) if walk is None else walk.take(region)
        if region.last:
            if used < len(region.spans):
                _leftover(source, table, region, used)
            source.advance(region.stop + 1)
            return
        whole = used or not len(region.spans)
        to = region.stop if used == len(region.spans) else region.in_source(int(region.spans[used, 0]))
        # a row longer than the region: come back with more than all that is here
        at_least = source.limits.block_bytes if whole else 2 * (len(source.data) - source.position)
        if at_least > 2 * (source.limits.block_bytes + source.limits.row_bytes):
            raise source.too_long("a defect row", source.limits.row_bytes)
        source.advance(to - 1 if region.quoted is not None and used < len(region.spans) and region.quoted[used] else to)


def _fixed_rows(source: Source, table: TableBuilder, region: Region) -> int:
    """Take all whole rows of a region; the number of tokens taken."""
    width = table.width
    count = len(region.spans) // width
    spans = region.spans[: count * width].reshape(count, width, 2)
    wrong = misaligned_lines(region, width)
    if wrong is not None:
        return _salvage(source, table, region, wrong)
    quoted = None if region.quoted is None else region.quoted[: count * width].reshape(count, width)
    table.add(Rows(region.text, spans, quoted, source.locator(region.first), source.bytes_left))
    return count * width


def misaligned_lines(region: Region, width: int) -> NDArray[np.bool_] | None:
    """(T,) tokens on lines that do not hold one row, if most lines do and rows and lines get out of step; else None."""
    starts, ends = region.spans[::width, 0], region.spans[width - 1 :: width, 1]
    count = len(ends)
    if count == 0:
        return None
    newlines = np.flatnonzero(region.text.characters == _NEWLINE)
    ahead = int(np.searchsorted(newlines, starts[0]))
    between = newlines[ahead : ahead + count - 1]
    if len(between) == count - 1 and np.all(ends[: count - 1] <= between) and np.all(between < starts[1:count]):
        return None
    line_of_start, line_of_end = np.searchsorted(newlines, starts[:count]), np.searchsorted(newlines, ends)
    if np.all(line_of_start[1:] > line_of_end[:-1]):
        return None  # rows are wrapped, but each begins on a line of its own
    line = np.searchsorted(newlines, region.spans[:, 0])
    lines, on_line = np.unique(line, return_counts=True)
    if 2 * np.count_nonzero(on_line == width) < len(lines):
        return None  # a text without rows for lines: there is nothing to compare with
    return np.repeat(on_line != width, on_line)


def _salvage(source: Source, table: TableBuilder, region: Region, wrong: NDArray[np.bool_]) -> int:
    """Complain of the lines that do not hold a row; in lenient mode, take the other ones."""
    width = table.width
    bad = np.flatnonzero(wrong)
    newlines = np.flatnonzero(region.text.characters == _NEWLINE)
    lines, firsts, counts = np.unique(
        np.searchsorted(newlines, region.spans[bad, 0]), return_index=True, return_counts=True
    )
    room = source.problems.room
    for first, count in zip(bad[firsts[:room]].tolist(), counts[:room].tolist(), strict=True):
        at, column = source.place(region.in_source(int(region.spans[first, 0])))
        source.problems.wrong(
            "row-width",
            "a defect row has a wrong number of values",
            line=at,
            column=column,
            expected=f"{width} values, as DefectRecordSpec says",
            got=str(count),
            remedy="lenient mode leaves such rows out and says which",
        )
    source.problems.unkept += max(0, len(lines) - room)
    good = np.flatnonzero(~wrong).reshape(-1, width)
    quoted = None if region.quoted is None else region.quoted[good]
    table.add(Rows(region.text, region.spans[good], quoted, source.locator(region.first), source.bytes_left))
    return len(region.spans)


def _leftover(source: Source, table: TableBuilder, region: Region, used: int) -> None:
    line, column = source.place(region.in_source(int(region.spans[used, 0])))
    source.problems.wrong(
        "row-width",
        "the defect list ends inside a row",
        line=line,
        column=column,
        expected=f"{len(table.layout)} values, as DefectRecordSpec says",
        got=str(len(region.spans) - used),
        remedy="lenient mode leaves this row out",
    )
