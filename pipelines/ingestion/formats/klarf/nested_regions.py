"""Stretches of a nested defect list that can be cut into rows on their own.

A semicolon ends a row, a brace the list.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.regions import tame
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.text import PADDING, Text
from pipelines.ingestion.formats.klarf.words import BLANKS

_TOKEN = re.compile(rb'"([^"\n]*+)"?+|[^' + BLANKS.encode() + rb';,"{}]++|[;,{}]')
_QUOTE, _SEMICOLON, _OPEN, _CLOSE, _COMMA = b'";{},'


@dataclass(frozen=True, slots=True, eq=False)
class RowRegion:
    """Whole rows of a list.

    Attributes:
        text: that holds them.
        spans: (T, 2) start and end of each token, quotes taken off; semicolons and commas are left out.
        quoted: (T,) which stood in quotes; None = none.
        row_ends: (R,) index of the first token behind each row.
        first: place of the text's first character in the source's data.
        stop: place in the source's data where the region ends; of the closing brace, if it is the last.
        last: true if the list ends behind these rows.
    """

    text: Text
    spans: NDArray[np.int64]
    quoted: NDArray[np.bool_] | None
    row_ends: NDArray[np.int64]
    first: int
    stop: int
    last: bool

    @property
    def braces(self) -> NDArray[np.bool_]:
        """(T,) which tokens are braces."""
        if self.quoted is None:
            return np.zeros(len(self.spans), np.bool_)
        # an empty quoted value has no first character of its own
        first = self.text.characters[self.spans[:, 0]]
        braces: NDArray[np.bool_] = ~self.quoted & ((first == _OPEN) | (first == _CLOSE))
        return braces

    def in_source(self, character: int) -> int:
        """Place in the source's data of a character of the text."""
        return self.first + character - PADDING


def next_row_region(source: Source) -> RowRegion:
    """The next rows of a list; nothing is used up.

    Raises:
        RetryableError: the file ends inside the list.
        UnsafeInputError: a row does not end within its limit.
    """
    at_least = source.limits.block_bytes
    while True:
        data, begin = source.data, source.position
        end = data.find(b"}", begin)
        stop = end if end >= 0 else len(data)
        enough = len(data) - begin >= at_least
        if any(data.find(mark, begin, stop) >= 0 for mark in (b'"', b"{", b",")):
            region = _marked_region(source) if enough or end >= 0 else None
            if region is not None:
                return region
        elif end >= 0:
            return _plain_region(source, end, last=True)
        elif enough:
            semicolon = data.rfind(b";", begin)
            if semicolon >= 0:
                return _plain_region(source, semicolon + 1, last=False)
        if enough:
            at_least = 2 * (len(data) - begin)
        if at_least > 2 * (source.limits.block_bytes + source.limits.row_bytes):
            raise source.too_long("a defect row", source.limits.row_bytes)
        if not source.more():
            raise source.truncated("a defect list")


def _plain_region(source: Source, stop: int, *, last: bool) -> RowRegion:
    text = Text.of(memoryview(source.data)[source.position : stop])
    if text.has_controls:
        text = Text.of(tame(source, stop))
    spans = text.parted(b";")
    semicolons = np.flatnonzero(text.characters == _SEMICOLON)
    row_ends = _evenly(spans, semicolons)
    if row_ends is None:
        row_ends = np.searchsorted(spans[:, 0], semicolons)
    return RowRegion(text, spans, None, row_ends, source.position, stop, last)


def _evenly(spans: NDArray[np.int64], semicolons: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Row ends, if all rows are as wide as the first one; several times faster than looking each up."""
    count = len(semicolons)
    width = int(np.searchsorted(spans[:, 0], semicolons[0])) if count else 0
    if not width or len(spans) != count * width:
        return None
    before, behind = spans[width - 1 :: width, 1], spans[width::width, 0]
    if np.all(before <= semicolons) and np.all(semicolons[:-1] < behind):
        return width * np.arange(1, count + 1)
    return None


def _marked_region(source: Source) -> RowRegion | None:
    """The whole rows among the data; None if there is neither a whole row nor the end of the list."""
    data = tame(source, len(source.data))
    spans: list[tuple[int, int]] = []
    quoted: list[bool] = []
    row_ends: list[int] = []
    depth, stop, last = 0, 0, False
    for match in _TOKEN.finditer(data):
        start, end = match.span()
        mark = data[start]
        if mark == _SEMICOLON and not depth:
            row_ends.append(len(spans))
            stop = end
        elif mark == _CLOSE and not depth:
            stop, last = start, True
            break
        elif mark not in (_SEMICOLON, _COMMA):
            depth += (mark == _OPEN) - (mark == _CLOSE)
            spans.append(match.span(1) if mark == _QUOTE else (start, end))
            quoted.append(mark == _QUOTE)
    if not row_ends and not last:
        return None
    kept = len(spans) if last else row_ends[-1]
    places = np.array(spans[:kept], np.int64).reshape(-1, 2) + PADDING
    flags = np.array(quoted[:kept], np.bool_)
    ends = np.array(row_ends, np.int64)
    return RowRegion(Text.of(data[:stop]), places, flags, ends, source.position, source.position + stop, last)
