"""Parts of a file with our classes, columns and entries added to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from pipelines.ingestion.formats.klarf.columns import is_image_column
from pipelines.ingestion.formats.klarf.document import (
    ColumnType,
    DefectRows,
    Field,
    Listing,
    Part,
    Record,
    Statement,
)
from pipelines.ingestion.formats.klarf.record_spec import layout_of
from pipelines.ingestion.formats.klarf.words import capitals, quote, whole

SIGNATURE_CLASS, SIGNATURE_ID = "MACROSIGCLASS", "MACROSIGID"
PREFIX = "WAFERWATCH_"
_CUSTOM = "CustomWaferList"


@dataclass(frozen=True, slots=True)
class Additions:
    """What is added.

    Attributes:
        classes: class number → name.
        entries: last rows of a wafer → what is said of it, name → value.
    """

    classes: Mapping[int, str]
    entries: Mapping[DefectRows, Mapping[str, str]]


def with_signature_columns(layout: tuple[ColumnType, ...], *, nested: bool) -> tuple[ColumnType, ...]:
    """The layout with the two columns, in front of the images, which many readers expect at the end."""
    have = [column.name for column in layout]
    kind = "int32" if nested else ""
    new = tuple(ColumnType(name, kind) for name in (SIGNATURE_CLASS, SIGNATURE_ID) if name not in have)
    at = next((place for place, column in enumerate(layout) if is_image_column(column)), len(layout))
    if 0 < at < len(layout) and have[at - 1] == "IMAGECOUNT":
        at -= 1
    return (*layout[:at], *new, *layout[at:])


def flat_with(parts: Sequence[Part], additions: Additions) -> tuple[Part, ...]:
    """Statements with the additions."""
    found = list(_flat(parts, additions))
    if additions.classes and not any(isinstance(part, Statement) and part.is_a("ClassLookup") for part in found):
        at = next(
            place for place, part in enumerate(found) if isinstance(part, Statement) and part.is_a("DefectRecordSpec")
        )
        found.insert(at, Statement("ClassLookup", _counted(_lines(additions.classes))))
    return tuple(found)


def _flat(parts: Sequence[Part], additions: Additions) -> Iterator[Part]:
    judged: DefectRows | None = None
    for part in parts:
        if isinstance(part, DefectRows):
            yield part
            judged = part if part in additions.entries else None
            if judged is not None:
                lines = [f"{name} {quote(value)}" for name, value in additions.entries[part].items()]
                yield Statement(_CUSTOM, _counted(lines))
            continue
        before, judged = judged, None
        if not isinstance(part, Statement):
            yield part
        elif part.is_a(_CUSTOM) and before is not None and _is_ours(part):
            continue
        elif part.is_a("DefectRecordSpec"):
            layout = with_signature_columns(layout_of(part), nested=False)
            yield replace(part, text=f"{len(layout)} {' '.join(column.name for column in layout)}")
        elif part.is_a("ClassLookup") and additions.classes:
            words = part.values[1:]
            known = {whole(word) for word in words[::2]}
            new = {number: name for number, name in additions.classes.items() if number not in known}
            old = [f"{word} {quote(name)}" for word, name in zip(words[::2], words[1::2], strict=False)]
            yield replace(part, text=_counted([*old, *_lines(new)]))
        else:
            yield part


def _is_ours(part: Statement) -> bool:
    return all(name.startswith(PREFIX) for name in part.values[1::2])


def _lines(classes: Mapping[int, str]) -> list[str]:
    return [f"{number} {quote(name)}" for number, name in classes.items()]


def _counted(lines: Sequence[str]) -> str:
    return "\n  ".join([str(len(lines)), *lines])


def nested_with(parts: Sequence[Part], additions: Additions) -> tuple[Part, ...]:
    """Records with the additions."""
    return tuple(_record(part, additions) if isinstance(part, Record) else part for part in parts)


def _record(record: Record, additions: Additions) -> Record:
    parts: list[Part] = []
    kind = record.name.upper()
    for part in record.parts:
        if isinstance(part, Record):
            parts.append(_record(part, additions))
        elif isinstance(part, Listing) and part.name.upper() == "CLASSLOOKUPLIST" and additions.classes:
            parts.append(_with_classes(part, additions.classes))
        else:
            parts.append(part)
    if kind == "LOTRECORD" and additions.classes and not _holds_classes(record):
        columns = (ColumnType("CLASSNUMBER", "int32"), ColumnType("CLASSNAME", "string"))
        parts.append(_with_classes(Listing("ClassLookupList", columns), additions.classes))
    entries = next((additions.entries[rows] for rows in _rows(record) if rows in additions.entries), None)
    if kind == "WAFERRECORD" and entries is not None:
        parts = _with_entries(parts, entries)
    return replace(record, parts=tuple(parts))


def _rows(record: Record) -> Iterator[DefectRows]:
    for part in record.parts:
        if isinstance(part, DefectRows):
            yield part
        elif isinstance(part, Record):
            yield from _rows(part)


def _holds_classes(record: Record) -> bool:
    return any(
        (isinstance(part, Listing) and part.name.upper() == "CLASSLOOKUPLIST")
        or (isinstance(part, Record) and _holds_classes(part))
        for part in record.parts
    )


def _with_classes(listing: Listing, classes: Mapping[int, str]) -> Listing:
    names = [column.name for column in listing.columns]
    rows = listing.rows
    known = {
        whole(row[names.index("CLASSNUMBER")]) for row in rows if "CLASSNUMBER" in names and len(row) == len(names)
    }
    lines = []
    for number, name in classes.items():
        cells = {"CLASSNUMBER": str(number), "CLASSNAME": quote(name)}
        if number not in known:
            empty = [cells.get(column.name, '""' if column.type == "string" else "0") for column in listing.columns]
            lines.append(" ".join(empty))
    return replace(listing, text=_with_rows(listing.text, lines))


def _with_rows(text: str, rows: Sequence[str]) -> str:
    ended = text if not text or text.endswith(";") else f"{text} ;"
    return "\n".join([*([ended] if ended else []), *(f"{row} ;" for row in rows)])


def _with_entries(parts: Sequence[Part], entries: Mapping[str, str]) -> list[Part]:
    lines = [f"{quote(name)} {quote(value)}" for name, value in entries.items()]
    kept: list[Part] = []
    for part in parts:
        if _is_custom(part) and [column.name for column in part.columns] == ["NAME", "VALUE"] and lines:
            others = [row for row in part.rows if not row[:1] or not row[0].startswith(PREFIX)]
            text = "\n".join(f"{' '.join(map(quote, row))} ;" for row in others)
            kept.append(replace(part, text=_with_rows(text, lines)))
            lines = []
        elif not (isinstance(part, Field) and part.name.startswith(PREFIX)):
            kept.append(part)
    if lines and any(map(_is_custom, kept)):  # a list of other columns than are known: leave it alone
        return [*kept, *(Field(name, quote(value)) for name, value in entries.items())]
    if lines:
        columns = (ColumnType("NAME", "string"), ColumnType("VALUE", "string"))
        kept.append(Listing(_CUSTOM, columns, _with_rows("", lines)))
    return kept


def _is_custom(part: Part) -> TypeGuard[Listing]:
    return isinstance(part, Listing) and capitals(part.name) == _CUSTOM.upper()
