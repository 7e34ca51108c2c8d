"""Reading KLARF of any version.

stream → Source (blocks, places) → FlatReader | NestedReader → parts and tables → assemble → Klarf
"""

import os
import re
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.assemble import assemble
from pipelines.ingestion.formats.klarf.document import Part, Record, Statement
from pipelines.ingestion.formats.klarf.flat_reader import FlatReader
from pipelines.ingestion.formats.klarf.limits import KlarfLimits
from pipelines.ingestion.formats.klarf.model import Klarf
from pipelines.ingestion.formats.klarf.nested_reader import NestedReader
from pipelines.ingestion.formats.klarf.problems import Mode, Problems
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.words import BLANKS

_BLANKS = BLANKS.encode()
_BOM = b"\xef\xbb\xbf"
_HEAD = 1 << 10
_FLAT = re.compile(rb"[ \t\r\n\v\f]*+FileVersion(?=[ \t\r\n\v\f;]|\Z)", re.IGNORECASE)
_NESTED = re.compile(rb"[ \t\r\n\v\f]*+Record\s++FileRecord(?=[ \t\r\n\v\f\"{]|\Z)", re.IGNORECASE)
_OPENINGS = (b"fileversion", b"record filerecord")
_FLAT_VERSIONS = ("1.0", "1.1", "1.2", "1.3")
_FLAT_DEFAULT = "1.2"


def is_klarf(head: bytes) -> bool:
    """True if a file that begins with these bytes (1 KiB is enough) says that it is KLARF; names tell nothing."""
    head = head.removeprefix(_BOM)
    return bool(_FLAT.match(head) or _NESTED.match(head))


def read_klarf(
    source: str | Path | BinaryIO, *, mode: Mode = "strict", limits: KlarfLimits | None = None, name: str | None = None
) -> Klarf:
    """Read a file.

    Args:
        source: a path, or a binary stream, which is read to its end and left open.
        mode: "strict" stops at the first thing that is wrong; "lenient" goes on where it is sure which rows are sound,
            leaves the others out and reports each. Neither makes up a row or lets one go in silence.
        limits: how much the file may ask for.
        name: of the file, for messages; None = the path.

    Raises:
        InputError: the file is not KLARF, or wrong.
        UnsafeInputError: it breaks a limit.
        RetryableError: it has no end ("truncated"); perhaps it is still being written.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return _read(stream, Problems(name or str(path), mode), limits or KlarfLimits(), size)
    return _read(source, Problems(name or str(getattr(source, "name", "klarf")), mode), limits or KlarfLimits(), None)


def _read(stream: BinaryIO, problems: Problems, limits: KlarfLimits, size: int | None) -> Klarf:
    problems.limit = limits.warnings
    bytes_ = Source(stream, problems, limits, size)
    bytes_.fill(_HEAD)
    if bytes_.data.startswith(_BOM):
        bytes_.advance(len(_BOM))
    while not bytes_.data[bytes_.position :].strip(_BLANKS) and bytes_.more():
        bytes_.advance(len(bytes_.data) - len(bytes_.data.lstrip(_BLANKS)))
    if _FLAT.match(bytes_.data, bytes_.position):
        parts, tables = FlatReader(bytes_).read()
        version = _flat_version(parts, problems)
    elif _NESTED.match(bytes_.data, bytes_.position):
        parts, tables = NestedReader(bytes_).read()
        version = "1.8"
        _check_nested_version(parts, problems)
    else:
        raise _not_klarf(bytes_)
    return assemble(version, parts, tables, problems)


def _flat_version(parts: tuple[Part, ...], problems: Problems) -> str:
    stated = next(part for part in parts if isinstance(part, Statement) and part.is_a("FileVersion"))
    version = ".".join(stated.values)
    if version in _FLAT_VERSIONS:
        return version
    problems.wrong(
        "unknown-version",
        "KLARF of an unknown version",
        line=stated.line,
        expected=f"FileVersion {_FLAT_VERSIONS[0]} to {_FLAT_VERSIONS[-1]}, or records for 1.8",
        got=repr(version[:20]),
        remedy=f"lenient mode reads it as {_FLAT_DEFAULT}",
    )
    return _FLAT_DEFAULT


def _check_nested_version(parts: tuple[Part, ...], problems: Problems) -> None:
    for part in parts:
        if isinstance(part, Record) and part.name.upper() == "FILERECORD" and part.label != "1.8":
            problems.wrong(
                "unknown-version",
                "KLARF of an unknown version",
                line=part.line,
                expected='Record FileRecord "1.8"',
                got=repr(part.label),
                remedy="lenient mode reads it as 1.8",
            )


def _not_klarf(source: Source) -> InputError:
    head = source.data[source.position : source.position + 20]
    if any(word.startswith(head.strip().lower()) for word in _OPENINGS):
        raise source.truncated("its first statement")
    return InputError(
        "not a KLARF file",
        where=source.problems.place(1, 1),
        expected="'FileVersion' or 'Record FileRecord'",
        got=repr(head.decode("latin-1")),
        remedy="choose another format" if not head.startswith((b"\xff\xfe", b"\xfe\xff")) else "save it as ASCII",
        code="not-klarf",
    )
