"""What the records of a nested file mean.

Fields may follow the records that need them, so each record is read twice: its fields, then the records in it.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import DefectRows, Field, Listing, Part, Record
from pipelines.ingestion.formats.klarf.facts import Stated, WaferFacts, complain_of_silence, wafer_of
from pipelines.ingestion.formats.klarf.model import InspectionTest, Wafer
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.summaries import summary_of
from pipelines.ingestion.formats.klarf.words import number, whole

_UNIT_UM = 0.001
_UM2_PER_NM2 = 1e-6
_SAME = {"SLOTNUMBER": "SLOT", "LOTRECORD": "LOTID", "WAFERRECORD": "WAFERID"}
"""Fields and records of 1.8 → the keyword of 1.x that says the same."""
_INT32 = 1 << 31


class NestedMeaning:
    """Reads records."""

    def __init__(self, tables: Sequence[Defects], problems: Problems) -> None:
        self._tables = tables
        self._problems = problems

    def wafers(self, parts: Sequence[Part]) -> tuple[Wafer, ...]:
        """The wafers of these parts.

        Raises:
            InputError: in strict mode, counts are wrong, or defects belong to no wafer.
        """
        return tuple(self._visit(parts, {}, {}))

    def _visit(self, parts: Sequence[Part], facts: Mapping[str, Stated], classes: Mapping[int, str]) -> Iterator[Wafer]:
        facts = {**facts, **_fields(parts)}
        classes = self._classes(parts) or classes
        for part in parts:
            if isinstance(part, DefectRows):
                self._problems.wrong(
                    "no-wafer", "defects without a wafer", line=part.line, expected="a DefectList inside a WaferRecord"
                )
                yield self._wafer(WaferFacts(dict(facts), classes, line=part.line), [part])
            if not isinstance(part, Record):
                continue
            own = {_SAME[part.name.upper()]: Stated((part.label,), part.line)} if _names(part) and part.label else {}
            if part.name.upper() == "WAFERRECORD":
                yield from self._wafer_record(part, {**facts, **own}, classes)
            else:
                yield from self._visit(part.parts, {**facts, **own}, classes)

    def _wafer_record(self, record: Record, facts: Mapping[str, Stated], classes: Mapping[int, str]) -> Iterator[Wafer]:
        said = WaferFacts({**facts, **_fields(record.parts)}, self._classes(record.parts) or classes, line=record.line)
        places: list[DefectRows] = []
        self._inside(record.parts, said, places)
        if not places:
            complain_of_silence(record.label or "", record.line, self._problems)
            return
        yield self._wafer(said, places)

    def _wafer(self, said: WaferFacts, places: Sequence[DefectRows]) -> Wafer:
        return wafer_of(said, places, self._tables, _UNIT_UM, self._problems)

    def _inside(self, parts: Sequence[Part], said: WaferFacts, places: list[DefectRows]) -> None:
        for part in parts:
            if isinstance(part, DefectRows):
                places.append(part)
            elif isinstance(part, Listing):
                self._listing(part, said)
            elif isinstance(part, Record):
                if part.name.upper() == "TESTRECORD":
                    said.tests.append(self._test(part))
                self._inside(part.parts, said, places)

    def _listing(self, part: Listing, said: WaferFacts) -> None:
        match part.name.upper():
            case "SAMPLEDIEMAPLIST" | "SAMPLEDIEMAP":
                said.all_dies = self._dies(part)
            case "TESTSUMMARYLIST":
                names = [column.name for column in part.columns]
                said.summary += [summary_of(names, row) for row in part.rows]

    def _test(self, record: Record) -> InspectionTest:
        area = _fields(record.parts).get("AREAPERTEST")
        square_nm = number(area.values[0]) if area is not None and area.values else None
        plans = [
            self._dies(part)
            for part in record.parts
            if isinstance(part, Listing) and part.name.upper() in {"SAMPLETESTPLANLIST", "SAMPLETESTPLAN"}
        ]
        label = whole(record.label or "1")
        return InspectionTest(
            1 if label is None else label,
            None if square_nm is None else square_nm * _UM2_PER_NM2,
            np.concatenate(plans) if plans else None,
        )

    def _dies(self, part: Listing) -> NDArray[np.int32]:
        names = [column.name for column in part.columns]
        pairs: list[tuple[int, int]] = []
        if "XINDEX" in names and "YINDEX" in names:
            at_x, at_y = names.index("XINDEX"), names.index("YINDEX")
            for row in part.rows:
                x = whole(row[at_x]) if len(row) == len(names) else None
                y = whole(row[at_y]) if len(row) == len(names) else None
                if x is not None and y is not None and max(abs(x), abs(y)) < _INT32:
                    pairs.append((x, y))
        if len(pairs) != len(part.rows):
            self._problems.wrong(
                "bad-plan",
                f"list {part.name} holds something that is no die",
                line=part.line,
                expected="rows of XINDEX and YINDEX",
                got=f"{len(part.rows)} rows, {len(pairs)} of them sound",
                remedy="lenient mode takes the sound ones",
            )
        return np.array(pairs, np.int32).reshape(-1, 2)

    def _classes(self, parts: Sequence[Part]) -> Mapping[int, str]:
        found: dict[int, str] = {}
        for part in parts:
            if isinstance(part, Listing) and part.name.upper() in {"CLASSLOOKUPLIST", "CLASSLOOKUP"}:
                names = [column.name for column in part.columns]
                rows = [dict(zip(names, row, strict=False)) for row in part.rows]
                numbers = [whole(row.get("CLASSNUMBER", "")) for row in rows]
                if None in numbers:
                    self._problems.wrong(
                        "bad-class", "a class has no number", line=part.line, expected="rows with a CLASSNUMBER"
                    )
                found |= {
                    each: row.get("CLASSNAME", "") for each, row in zip(numbers, rows, strict=True) if each is not None
                }
        return found


def _names(record: Record) -> bool:
    return record.name.upper() in {"LOTRECORD", "WAFERRECORD"}


def _fields(parts: Sequence[Part]) -> dict[str, Stated]:
    fields = [part for part in parts if isinstance(part, Field)]
    return {_SAME.get(part.name.upper(), part.name.upper()): Stated(part.values, part.line) for part in fields}
