"""The text of a part up to the mark that ends it, minding quotes."""

import re

from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.words import BLANKS, tidy

_BLANKS = BLANKS.encode()
_WORD = re.compile(rf'"[^"\n]*+"?+|[^{BLANKS}"]++')
_UNTIL = {mark: re.compile(rb'[^%s"]*+(?:"[^"\n]*+"[^%s"]*+)*+' % (mark, mark)) for mark in (b";", b"}", b"{}")}
"""Up to a mark that is not quoted, or to a quote that is not closed on its line."""


def read_body(source: Source, marks: bytes, what: str) -> str:
    """The text up to the first of `marks` (b";", b"}" or b"{}"), used up without the mark; stripped.

    A quote that is not closed ends with its line, or before the mark that ends the line; it is closed in the text.

    Raises:
        RetryableError: the file ends before.
        UnsafeInputError: the text, or one value in it, is too long.
    """
    until = _UNTIL[marks]
    mended: list[bytes] = []
    size = 0
    while True:
        match = until.match(source.data, source.position)
        assert match is not None
        stop = match.end()
        if size + stop - source.position > source.limits.part_bytes:
            raise source.too_long(what, source.limits.part_bytes)
        mark = source.data[stop : stop + 1]
        if mark and mark in marks:
            break
        newline = source.data.find(b"\n", stop)
        if newline < 0:  # perhaps a closed quote of which only half was read
            if not source.more():
                raise source.truncated(what)
            continue
        source.problems.warn("unclosed-quote", "a quote is not closed on its line", source.place(stop)[0])
        rest = source.data[stop:newline].rstrip(_BLANKS)
        ended = rest[-1:] in marks  # rest begins with the quote, so it is not empty
        value = rest[:-1].rstrip(_BLANKS) if ended else rest
        mended.append(source.data[source.position : stop] + value + b'"')
        size += len(mended[-1])
        source.advance(stop + len(rest) - 1 if ended else newline)
    mended.append(source.data[source.position : stop])
    body = b"".join(mended)
    source.advance(stop)
    source.take_header(len(body))
    text = tidy(body.decode("latin-1"))
    if len(text) > source.limits.word_bytes:
        longest = max(len(word.strip('"')) for word in _WORD.findall(text))
        if longest > source.limits.word_bytes:
            raise source.too_long(f"a value of {what}", source.limits.word_bytes)
    return text
