"""Defect lists of one row: some tools write one for each defect, with the file of its picture named before."""

import re

from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import TableBuilder

_SMALL = 2048
_ODD = re.compile(rb'[\x00-\x08\x0e-\x1f"]')
_WHOLE = re.compile(rb"-?[0-9]{1,7}")


def take_single_row(source: Source, table: TableBuilder, image_file: str) -> bool:
    """Take the list if it is one plain row, or empty; if not, leave it to `read_flat_rows` and return false.

    Args:
        source: stands behind the keyword.
        table: takes the row.
        image_file: the file that its images are in.
    """
    data, begin = source.data, source.position
    end = data.find(b";", begin, begin + min(_SMALL, source.limits.word_bytes))
    if end < 0 or _ODD.search(data, begin, end):
        return False
    words = data[begin:end].split()
    if words:
        split = _split(words, table)
        if split is None:
            return False
        cells, images = split
        line = source.line + data.count(b"\n", begin, data.index(words[0], begin))
        table.add_single(cells, images, image_file, line)
    source.advance(end + 1)
    return True


def _split(words: list[bytes], table: TableBuilder) -> tuple[list[bytes], list[tuple[int, int]]] | None:
    """Cells and images of the row, in either dialect of IMAGELIST; None if it is not one row."""
    at, extra = table.image_at, len(words) - table.width
    if at is None:
        return (words, []) if not extra else None
    count_at = table.plain_place("IMAGECOUNT")
    stated = words[count_at] if count_at is not None and count_at < at else None
    if extra < 0 or (stated is not None and not _is_count(stated, extra // 2)):
        return None
    if extra % 2 and not _is_count(words[at], extra // 2):
        return None  # neither counted
    if extra % 2 == 0 and stated is None:
        return None  # nor pairs
    listed = words[at + extra % 2 : at + extra]
    if not all(map(_WHOLE.fullmatch, listed)):
        return None
    return words[:at] + words[at + extra :], list(zip(map(int, listed[::2]), map(int, listed[1::2]), strict=True))


def _is_count(word: bytes, count: int) -> bool:
    return word.isdigit() and len(word) <= 7 and int(word) == count
