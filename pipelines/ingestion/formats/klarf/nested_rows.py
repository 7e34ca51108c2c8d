"""Rows of a nested defect list: cells apart by blanks, a semicolon behind each row."""

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.nested_images import ImageCells
from pipelines.ingestion.formats.klarf.nested_regions import RowRegion, next_row_region
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Rows, TableBuilder


def read_nested_rows(source: Source, table: TableBuilder) -> None:
    """Read a list up to and with its closing brace.

    Args:
        source: stands behind the opening brace.
        table: takes the rows.

    Raises:
        InputError: in strict mode, a row does not fit the columns.
        RetryableError: the file ends inside the list.
        UnsafeInputError: a limit is broken.
    """
    images = None if table.image_at is None else ImageCells(source, table)
    while True:
        region = next_row_region(source)
        begins, ends = _rows(source, region)
        if images is not None:
            images.take(region, begins, ends)
        else:
            _take(source, table, region, begins, ends)
        source.advance(region.stop + region.last)
        if region.last:
            return


def _rows(source: Source, region: RowRegion) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one past the last token of each row."""
    ends = region.row_ends
    if region.last and (len(region.spans) > (ends[-1] if len(ends) else 0)):
        source.problems.warn(
            "row-without-semicolon", "the last defect row has no semicolon", source.place(region.stop)[0]
        )
        ends = np.append(ends, len(region.spans))
    begins = np.concatenate([[0], ends[:-1]])[: len(ends)]
    empty = begins == ends
    if empty.any():
        source.problems.warn("stray-semicolon", f"{np.count_nonzero(empty)} semicolons end no row", source.line)
        begins, ends = begins[~empty], ends[~empty]
    return begins, ends


def _take(
    source: Source, table: TableBuilder, region: RowRegion, begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> None:
    width = table.width
    braces = np.concatenate([[0], np.cumsum(region.braces)])
    sound = (ends - begins == width) & (braces[begins] == braces[ends])
    if sound.all() and len(begins) * width == len(region.spans):
        spans = region.spans.reshape(-1, width, 2)
        quoted = None if region.quoted is None else region.quoted.reshape(-1, width)
    else:
        complain_of_rows(source, region, begins[~sound], (ends - begins)[~sound], width)
        cells = begins[sound][:, None] + np.arange(width)
        spans = region.spans[cells]
        quoted = None if region.quoted is None else region.quoted[cells]
    table.add(Rows(region.text, spans, quoted, source.locator(region.first), source.bytes_left))


def complain_of_rows(
    source: Source, region: RowRegion, begins: NDArray[np.int64], counts: NDArray[np.int64], width: int
) -> None:
    """Note rows that are left out.

    Raises:
        InputError: in strict mode, there is one.
    """
    room = source.problems.room
    for begin, count in zip(begins[:room].tolist(), counts[:room].tolist(), strict=True):
        line, column = source.place(region.in_source(int(region.spans[begin, 0])))
        source.problems.wrong(
            "row-width",
            "a defect row does not fit the columns",
            line=line,
            column=column,
            expected=f"{width} cells",
            got=str(count),
            remedy="lenient mode leaves such rows out and says which",
        )
    source.problems.unkept += max(0, len(begins) - room)
