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
    if extra < 0 or (at is None and extra):
        return None
    if at is None:
        return words, []
    listed = words[at + extra % 2 : at + extra]
    if not _fits(words, table, extra) or not all(map(_WHOLE.fullmatch, listed)):
        return None
    return words[:at] + words[at + extra :], list(zip(map(int, listed[::2]), map(int, listed[1::2]), strict=True))


def _fits(words: list[bytes], table: TableBuilder, extra: int) -> bool:
    """True if the row says that it has as many images as it has room for: before the list (pairs), or in it too."""
    assert table.image_at is not None
    count_at = table.plain_place("IMAGECOUNT")
    stated = words[count_at] if count_at is not None and count_at < table.image_at else None
    if stated is not None and not _is_count(stated, extra // 2):
        return False
    return _is_count(words[table.image_at], extra // 2) if extra % 2 else stated is not None


def _is_count(word: bytes, count: int) -> bool:
    return word.isdigit() and len(word) <= 7 and int(word) == count
