"""Stretches of a flat defect list that can be cut into tokens on their own, whatever comes after them."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.text import PADDING, Text
from pipelines.ingestion.formats.klarf.words import BLANKS

_WORD = re.compile(rb'"([^"\n]*+)("?+)|[^' + BLANKS.encode() + rb';"]++|;')
_CONTROLS = bytes(code for code in range(32) if code not in BLANKS.encode())
_WITHOUT_CONTROLS = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Tokens of a stretch of rows.

    Attributes:
        text: that holds them.
        spans: (T, 2) start and end of each token, quotes taken off.
        quoted: (T,) which stood in quotes; None = none.
        first: place of the text's first character in the source's data.
        stop: place in the source's data where the region ends; of the semicolon, if it is the last.
        last: true if the list ends behind these tokens.
    """

    text: Text
    spans: NDArray[np.int64]
    quoted: NDArray[np.bool_] | None
    first: int
    stop: int
    last: bool

    def in_source(self, character: int) -> int:
        """Place in the source's data of a character of the text."""
        return self.first + character - PADDING


def next_region(source: Source, at_least: int) -> Region:
    """The next tokens of a flat defect list; nothing is used up.

    Args:
        source: stands inside the list.
        at_least: bytes that the region should hold, unless the list ends before.

    Raises:
        RetryableError: the file ends inside the list.
        UnsafeInputError: a row does not end within its limit.
    """
    while True:
        data, begin = source.data, source.position
        end = data.find(b";", begin)
        enough = len(data) - begin >= at_least
        if data.find(b'"', begin, end if end >= 0 else len(data)) >= 0:
            # no quoted value goes beyond its line, so whole lines can be cut
            line_end = data.rfind(b"\n", begin) if enough else data.find(b"\n", end) if end >= 0 else -1
            region = _quoted_region(source, line_end + 1) if line_end >= 0 else None
            if region is not None and (enough or region.last):
                return region
        elif end >= 0:
            return _plain_region(source, end, last=True)
        elif enough:
            cut = data.rfind(b"\n", begin)
            if cut < 0:
                cut = data.rfind(b" ", begin)
            if cut >= 0:
                return _plain_region(source, cut + 1, last=False)
        if len(data) - begin > at_least + source.limits.row_bytes:
            raise source.too_long("a defect row", source.limits.row_bytes)
        if not source.more():
            region = _quoted_region(source, len(source.data)) if end >= 0 else None
            if region is None or not region.last:
                raise source.truncated("a defect list")
            return region


def _plain_region(source: Source, stop: int, *, last: bool) -> Region:
    text = Text.of(memoryview(source.data)[source.position : stop])
    if text.has_controls:
        text = Text.of(tame(source, stop))
    return Region(text, text.parted(), None, source.position, stop, last)


def _quoted_region(source: Source, stop: int) -> Region:
    data = tame(source, stop)
    spans: list[tuple[int, int]] = []
    quoted: list[bool] = []
    last = False
    line, counted = source.line, 0
    for match in _WORD.finditer(data):
        start, end = match.span()
        mark = data[start]
        if mark == ord(";"):
            stop, last = source.position + start, True
            break
        quoted.append(mark == ord('"'))
        if mark != ord('"'):
            spans.append((start, end))
            continue
        begins, ends = match.span(1)
        if not match.group(2):
            line += data.count(b"\n", counted, start)
            counted = start
            source.problems.warn("unclosed-quote", f"a quote is not closed before the end of line {line}", line)
            content = data[begins:ends].rstrip()
            ends = begins + len(content)
            if content.endswith(b";"):  # the semicolon was meant to end the list, not to be part of the value
                spans.append((begins, ends - 1))
                stop, last = source.position + ends - 1, True
                break
        spans.append((begins, ends))
    places = np.array(spans, np.int64).reshape(-1, 2) + PADDING
    return Region(Text.of(data), places, np.array(quoted, np.bool_), source.position, stop, last)


def tame(source: Source, stop: int) -> bytes:
    """The data up to `stop`; control characters are an error, or blanks in lenient mode."""
    data = source.data[source.position : stop]
    tame = data.translate(_WITHOUT_CONTROLS)
    if tame == data:
        return data
    at = next(place for place in range(len(data)) if data[place] != tame[place])
    line, column = source.place(source.position + at)
    source.problems.wrong(
        "control-character",
        "a control character stands among the defects",
        line=line,
        column=column,
        got=f"byte {data[at]}",
        remedy="copy the file anew; lenient mode takes it for a blank",
    )
    return tame
