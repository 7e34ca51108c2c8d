"""What follows `EndOfFile`: its semicolon, and nothing else but padding."""

from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.words import BLANKS

_BLANKS = BLANKS.encode()
_PADDING = _BLANKS + b"\x1a"  # as files of CP/M ended


def read_end(source: Source) -> None:
    """Read on to the end of the file.

    Raises:
        InputError: in strict mode, there is more.
    """
    source.fill(1 << 10)
    rest = source.data[source.position :].lstrip(_BLANKS)
    line = source.line
    if not rest.startswith(b";"):
        source.problems.warn("end-without-semicolon", "EndOfFile has no semicolon", line)
    rest = rest.removeprefix(b";")
    while not (extra := rest.strip(_PADDING)):
        source.advance(len(source.data))
        if not source.more():
            return
        rest = source.data
    source.problems.wrong(
        "text-after-end",
        "there is text after EndOfFile",
        line=line,
        expected="the end of the file",
        got=repr(extra[:20].decode("latin-1")),
        remedy="split files that were joined; lenient mode leaves the text out",
    )
