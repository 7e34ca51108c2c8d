"""Our verdicts in a copy of the tool's file: the same dialect, the same order, nothing of the tool's own changed.

Defects of a region of one label get MACROSIGCLASS and MACROSIGID, the columns KLARF has for spatial signatures;
CLASSNUMBER stays the tool's. Labels become classes out of a range that is reserved for us. The wafer's own verdict, and
which model said so, go to CustomWaferList.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion.formats.klarf.assemble import assemble
from pipelines.ingestion.formats.klarf.columns import is_image_column
from pipelines.ingestion.formats.klarf.defects import Defects, Images
from pipelines.ingestion.formats.klarf.document import ColumnType
from pipelines.ingestion.formats.klarf.model import Klarf, Wafer
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.verdict_parts import (
    PREFIX,
    SIGNATURE_CLASS,
    SIGNATURE_ID,
    Additions,
    flat_with,
    nested_with,
    with_signature_columns,
)
from pipelines.ingestion.formats.klarf.words import tame

UNKNOWN = "UNKNOWN"
_SIGNATURE = (SIGNATURE_CLASS, SIGNATURE_ID)


@dataclass(frozen=True, slots=True)
class ReservedClasses:
    """Class numbers that are ours in every file.

    Attributes:
        labels: of the model, in its order; the first number means unknown, the next ones these.
        first, last: the range, both included.
    """

    labels: tuple[str, ...]
    first: int = 900
    last: int = 999

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: the range is too small, or a label is taken by "unknown" or comes twice.
        """
        if len(self.labels) > self.last - self.first or len({UNKNOWN, *self.labels}) != 1 + len(self.labels):
            raise ConfigurationError(
                "reserved classes do not fit the labels",
                expected=f"at most {self.last - self.first} different labels, none of them {UNKNOWN}",
                got=f"{len(self.labels)} labels",
                remedy="reserve more class numbers",
            )

    @property
    def names(self) -> Mapping[int, str]:
        """Class number → name."""
        return {self.first + place: name for place, name in enumerate((UNKNOWN, *self.labels))}

    def number(self, label: str | None) -> int:
        """Class number of a label; None = unknown.

        Raises:
            ConfigurationError: no such label.
        """
        if label is None:
            return self.first
        if label not in self.labels:
            raise ConfigurationError("label without a reserved class", expected=", ".join(self.labels), got=label)
        return self.first + 1 + self.labels.index(label)


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """Defects that form one pattern.

    Attributes:
        label: None = unknown.
        defects: (K,) ordinals of the defects in the wafer.
    """

    label: str | None
    defects: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WaferVerdict:
    """What we state of one wafer of the file.

    Attributes:
        wafer: its ordinal among `Klarf.wafers`.
        label: None = unknown.
        confidence: 0..1.
        signatures: patterns on it; they get ids from 1 on. A defect in several belongs to the last one.
    """

    wafer: int
    label: str | None
    confidence: float
    signatures: tuple[Signature, ...] = ()


@dataclass(frozen=True, slots=True)
class Author:
    """Which model judged."""

    model: str
    version: str
    digest: str = ""


def with_verdicts(klarf: Klarf, verdicts: Sequence[WaferVerdict], author: Author, classes: ReservedClasses) -> Klarf:
    """A copy of the file that carries the verdicts; write it under a new name.

    Doing so again, with a file that carries verdicts already, replaces them.

    Raises:
        ConfigurationError: the file uses a reserved class number for something else.
        InputError: a verdict is about a wafer or defect that the file does not have.
    """
    _check_classes(klarf, classes)
    tables = [_with_columns(table, nested=klarf.nested) for table in klarf.tables]
    entries = {}
    for verdict in verdicts:
        if not 0 <= verdict.wafer < len(klarf.wafers):
            raise InputError("verdict about no wafer", expected=f"0 to {len(klarf.wafers) - 1}", got=str(verdict.wafer))
        wafer = klarf.wafers[verdict.wafer]
        _mark(wafer, verdict, classes, tables)
        entries[wafer.rows[-1]] = _entries(verdict, author)
    labels = {verdict.label for verdict in verdicts}
    labels |= {signature.label for verdict in verdicts for signature in verdict.signatures}
    numbers = sorted(map(classes.number, labels))
    additions = Additions({number: tame(classes.names[number]) for number in numbers}, entries)
    parts = (nested_with if klarf.nested else flat_with)(klarf.parts, additions)
    done = tuple(Defects(*table) for table in tables)
    return assemble(klarf.version, parts, done, Problems(mode="lenient"))


def _check_classes(klarf: Klarf, classes: ReservedClasses) -> None:
    for wafer in klarf.wafers:
        for number, name in classes.names.items():
            if wafer.classes.get(number, tame(name)) != tame(name):
                raise ConfigurationError(
                    "reserved class is in use",
                    where=f"class {number}",
                    expected=name,
                    got=wafer.classes[number],
                    remedy="reserve another range of class numbers",
                )


_Table = tuple[tuple[ColumnType, ...], dict[str, NDArray[Any]], Images]


def _with_columns(table: Defects, *, nested: bool) -> _Table:
    layout = with_signature_columns(table.layout, nested=nested)
    columns = {}
    for column in layout:
        if column.name in _SIGNATURE:
            old = table.columns.get(column.name, np.zeros(len(table), np.int64))
            columns[column.name] = old.astype(np.float64 if old.dtype.kind == "f" else np.int64)
        elif not is_image_column(column):
            columns[column.name] = table.columns[column.name]
    return layout, columns, table.images


def _mark(wafer: Wafer, verdict: WaferVerdict, classes: ReservedClasses, tables: Sequence[_Table]) -> None:
    """Write the signatures of one wafer into its tables; those of an earlier verdict of ours are taken out."""
    count = len(wafer.defects)
    kinds = np.zeros(count, np.int64)
    ids = np.zeros(count, np.int64)
    for ordinal, signature in enumerate(verdict.signatures, start=1):
        if len(signature.defects) and not (signature.defects.min() >= 0 and signature.defects.max() < count):
            raise InputError("signature of a defect that is not there", expected=f"0 to {count - 1}")
        kinds[signature.defects] = classes.number(signature.label)
        ids[signature.defects] = ordinal
    places = [[tables[rows.table][1][name][rows.start : rows.stop] for name in _SIGNATURE] for rows in wafer.rows]
    foreign = 0
    for kind, id_ in places:
        ours = (kind >= classes.first) & (kind <= classes.last)
        kind[ours], id_[ours] = 0, 0
        foreign = max(foreign, int(np.nan_to_num(id_).max(initial=0)))  # the tool's own signatures keep their ids
    begin = 0
    for kind, id_ in places:
        here = slice(begin, begin + len(kind))
        marked = ids[here] > 0
        kind[marked] = kinds[here][marked]
        id_[marked] = ids[here][marked] + foreign
        begin = here.stop


def _entries(verdict: WaferVerdict, author: Author) -> Mapping[str, str]:
    said = {
        "MODEL": author.model,
        "VERSION": author.version,
        "DIGEST": author.digest,
        "LABEL": verdict.label or UNKNOWN,
        "CONFIDENCE": f"{verdict.confidence:.4f}",
    }
    return {PREFIX + name: value for name, value in said.items() if value}
