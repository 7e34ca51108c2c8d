"""Writing KLARF: the same dialect, the same order, deterministic bytes."""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion.formats.klarf.cells import row_texts
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import (
    ColumnType,
    DefectRows,
    Field,
    Listing,
    Part,
    Record,
    Statement,
)
from pipelines.ingestion.formats.klarf.model import Klarf
from pipelines.ingestion.formats.klarf.record_spec import layout_of
from pipelines.ingestion.formats.klarf.words import BLANKS, NESTED_WORD, nested_word, quote

_KEYWORD = re.compile(rf'[^{BLANKS};"]*+')
_FLAT_TEXT = re.compile(r'[^;"]*+(?:"[^"\n]*+"[^;"]*+)*+')
_NESTED_TEXT = re.compile(r'[^"]*+(?:"[^"\n]*+"[^"]*+)*+')


def write_klarf(klarf: Klarf, target: str | Path | BinaryIO, *, newline: str = "\n") -> None:
    """Write the file; a path must be new, and appears only once it is whole and on disk.

    Args:
        klarf: what to write.
        target: a path, or a binary stream.
        newline: line end, a bare line feed or CR LF.

    Raises:
        ConfigurationError: something is at that path already.
        InputError: the parts do not make a file of that version.
    """
    pieces = _nested(klarf) if klarf.nested else _flat(klarf)
    if not isinstance(target, str | Path):
        _pour(pieces, target, newline)
        return
    path = Path(target)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as stream:
            _pour(pieces, stream, newline)
            stream.flush()
            os.fsync(stream.fileno())
        _give_name(part, path)
    except FileExistsError as error:
        raise ConfigurationError(
            "will not write over a file", where=str(path), remedy="choose another name or remove the file first"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _give_name(part: Path, path: Path) -> None:
    """Let the finished file appear; unlike a rename, a link fails where there is a file already."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network file systems know no links
        if path.exists():
            raise FileExistsError(path) from None
        part.rename(path)


def _pour(pieces: Iterator[str], stream: BinaryIO, newline: str) -> None:
    for piece in pieces:
        text = piece if newline == "\n" else piece.replace("\n", newline)
        stream.write(text.encode("latin-1", "replace"))


def _flat(klarf: Klarf) -> Iterator[str]:
    layout: tuple[ColumnType, ...] = ()
    for part in klarf.parts:
        if isinstance(part, Statement):
            if part.is_a("DefectRecordSpec"):
                layout = layout_of(part)
            yield _statement(part)
        elif isinstance(part, DefectRows):
            table = klarf.tables[part.table]
            if layout != table.layout:
                raise InputError(
                    "defects do not fit their DefectRecordSpec",
                    expected=" ".join(column.name for column in table.layout),
                    got=" ".join(column.name for column in layout),
                )
            yield from _defect_list(table, part)
        else:
            raise InputError("not a statement of the flat dialect", where=part.name, remedy="write it as version 1.8")
    yield "EndOfFile;\n"


def _statement(part: Statement) -> str:
    reserved = part.keyword.upper() in {"DEFECTLIST", "ENDOFFILE"}
    if reserved or not _KEYWORD.fullmatch(part.keyword) or not _FLAT_TEXT.fullmatch(part.text):
        raise InputError(
            "statement cannot be written",
            where=f"{part.keyword[:40]!r}",
            expected="a keyword, and a text with closed quotes and no semicolon outside of them",
            got=repr(part.text[:40]),
        )
    return f"{part.keyword} {part.text};\n" if part.text else f"{part.keyword};\n"


def _braced(text: str, where: str) -> str:
    """The text, if it can stand between braces."""
    depth = 0
    if _NESTED_TEXT.fullmatch(text):
        for _, _, mark in NESTED_WORD.findall(text):
            depth += (mark == "{") - (mark == "}")
            if depth < 0:
                break
        if not depth:
            return text
    raise InputError(
        "text cannot be written", where=where, expected="closed quotes and braces that match", got=repr(text[:40])
    )


def _defect_list(table: Defects, rows: DefectRows) -> Iterator[str]:
    yield "DefectList"
    for block in row_texts(table, rows.start, rows.stop, nested=False):
        yield "\n " + "\n ".join(block)
    yield ";\n"


def _nested(klarf: Klarf) -> Iterator[str]:
    for part in klarf.parts:
        if not isinstance(part, Record):
            raise InputError("only records may stand at the top of a 1.8 file", got=type(part).__name__)
        yield from _record(klarf, part, "")
    yield "EndOfFile;\n"


def _record(klarf: Klarf, record: Record, indent: str) -> Iterator[str]:
    label = f" {quote(record.label)}" if record.label else ""
    yield f"{indent}Record {nested_word(record.name)}{label}\n{indent}{{\n"
    for part in record.parts:
        yield from _part(klarf, part, indent + "  ")
    yield f"{indent}}}\n"


def _part(klarf: Klarf, part: Part, indent: str) -> Iterator[str]:
    if isinstance(part, Record):
        yield from _record(klarf, part, indent)
    elif isinstance(part, Field):
        yield f"{indent}Field {nested_word(part.name)} {len(part.values)} {{{_braced(part.text, part.name)}}}\n"
    elif isinstance(part, Listing):
        body = f"{_braced(part.text, part.name)}\n" if part.text else ""
        yield f"{_list_head(part.name, part, len(part.rows), indent)}{body}{indent}  }}\n{indent}}}\n"
    elif isinstance(part, DefectRows):
        table = klarf.tables[part.table]
        yield _list_head("DefectList", table, part.stop - part.start, indent)
        for block in row_texts(table, part.start, part.stop, nested=True):
            yield "".join(f"{row} ;\n" for row in block)
        yield f"{indent}  }}\n{indent}}}\n"
    else:
        raise InputError("a statement of the flat dialect in a 1.8 file", where=part.keyword)


def _list_head(name: str, described: Listing | Defects, rows: int, indent: str) -> str:
    layout = described.columns if isinstance(described, Listing) else described.layout
    columns = ", ".join(f"{nested_word(column.type)} {nested_word(column.name)}" for column in layout)
    return (
        f"{indent}List {nested_word(name)}\n{indent}{{\n{indent}  Columns {len(layout)} {{ {columns} }}\n"
        f"{indent}  Data {rows}\n{indent}  {{\n"
    )
