"""What the statements of a flat file mean: position decides to which lot, wafer and test a statement belongs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import DefectRows, Part, Statement
from pipelines.ingestion.formats.klarf.facts import Stated, WaferFacts, complain_of_silence, wafer_of
from pipelines.ingestion.formats.klarf.flat_values import numbered_names, pairs_of
from pipelines.ingestion.formats.klarf.model import InspectionTest, Wafer
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.summaries import summaries_of
from pipelines.ingestion.formats.klarf.words import capitals, number

_INHERITED = frozenset(
    (
        "INSPECTIONSTATIONID",
        "RESULTTIMESTAMP",
        "DEVICEID",
        "STEPID",
        "SAMPLESIZE",
        "DIEPITCH",
        "DIEORIGIN",
        "SAMPLECENTERLOCATION",
        "ORIENTATIONMARKLOCATION",
        "ORIENTATIONINSTRUCTIONS",
        "COORDINATESMIRRORED",
        "COORDINATESCENTERED",
    )
)
"""Facts that hold for all wafers behind them, until said anew."""
_OF_A_LOT = frozenset(("DEVICEID", "STEPID", "RESULTTIMESTAMP"))
"""Of these, what another lot does not inherit."""


@dataclass(slots=True)
class _OpenWafer:
    said: WaferFacts
    places: list[DefectRows] = field(default_factory=list)


class FlatMeaning:
    """Reads statements in order; `wafers` then tells what they mean."""

    def __init__(self, tables: Sequence[Defects], problems: Problems) -> None:
        self._tables = tables
        self._problems = problems
        self._wafers: list[_OpenWafer] = []
        self._facts: dict[str, Stated] = {}  # what holds for wafers to come
        self._next: dict[str, Stated] = {}  # said since the last defects: about the next wafer
        self._classes: Mapping[int, str] = {}
        self._early_tests: list[InspectionTest] = []
        self._summary_columns: tuple[str, ...] = ()

    def wafers(self, parts: Sequence[Part]) -> tuple[Wafer, ...]:
        """The wafers of these parts.

        Raises:
            InputError: in strict mode, counts are wrong, or defects belong to no wafer.
        """
        for part in parts:
            if isinstance(part, Statement):
                self._statement(part)
            elif isinstance(part, DefectRows):
                self._defects(part)
        self._late_facts()
        return tuple(wafer for each in self._wafers for wafer in self._close(each))

    @property
    def _open(self) -> _OpenWafer | None:
        return self._wafers[-1] if self._wafers else None

    def _statement(self, statement: Statement) -> None:
        match statement.keyword.upper():
            case "LOTID":
                if "LOTID" in self._facts:
                    self._facts = {key: fact for key, fact in self._facts.items() if key not in _OF_A_LOT}
                self._facts["LOTID"] = Stated(statement.values, statement.line)
            case "WAFERID":
                self._wafer(statement.line)
                self._wafers[-1].said.facts["WAFERID"] = Stated(statement.values, statement.line)
            case "CLASSLOOKUP":
                self._class_lookup(statement)
            case "SAMPLEDIEMAP" if self._open is not None:
                self._open.said.all_dies = pairs_of(statement, self._problems)
            case "SUMMARYSPEC":
                self._summary_columns = tuple(capitals(name) for name in statement.values[1:])
            case "SUMMARYLIST":
                self._summary(statement)
            case "INSPECTIONTEST" | "SAMPLETESTPLAN" | "AREAPERTEST":
                self._test(statement)
            case keyword if keyword == "SLOT" or keyword in _INHERITED:
                self._fact(keyword, statement)

    def _fact(self, keyword: str, statement: Statement) -> None:
        stated = Stated(statement.values, statement.line)
        wafer = self._open
        if wafer is None or wafer.places:
            self._next[keyword] = stated
        else:
            wafer.said.facts[keyword] = stated
            if keyword in _INHERITED:
                self._facts[keyword] = stated

    def _wafer(self, line: int) -> None:
        said = WaferFacts(facts=self._facts | self._next, classes=self._classes, line=line)
        self._facts |= {key: fact for key, fact in self._next.items() if key in _INHERITED}
        self._next = {}
        if not self._wafers:
            said.tests = self._early_tests
        self._wafers.append(_OpenWafer(said))

    def _late_facts(self) -> None:
        """What was said behind the last defects is about the wafers that lack it, for there is no next wafer."""
        for ordinal, wafer in enumerate(self._wafers):
            is_last = ordinal == len(self._wafers) - 1
            for key, fact in self._next.items():
                if key in _INHERITED or is_last:
                    wafer.said.facts.setdefault(key, fact)
            if not wafer.said.classes and len(self._wafers) == 1:
                wafer.said.classes = self._classes

    def _defects(self, rows: DefectRows) -> None:
        if self._open is None:
            self._problems.wrong(
                "no-wafer",
                "defects without a wafer",
                line=rows.line,
                expected="a WaferID before the DefectList",
                remedy="lenient mode takes them for a wafer without id",
            )
            self._wafer(rows.line)
        self._wafers[-1].places.append(rows)

    def _test(self, statement: Statement) -> None:
        tests = self._early_tests if self._open is None else self._open.said.tests
        value = number(statement.values[0]) if statement.values else None
        if statement.is_a("InspectionTest"):
            tests.append(InspectionTest(1 if value is None else int(value)))
            return
        test = tests.pop() if tests else InspectionTest(1)
        if statement.is_a("AreaPerTest"):
            tests.append(replace(test, area_um2=value))
        else:
            dies = pairs_of(statement, self._problems)
            tests.append(replace(test, dies=dies if test.dies is None else np.concatenate([test.dies, dies])))

    def _class_lookup(self, statement: Statement) -> None:
        self._classes = numbered_names(statement, self._problems)
        wafer = self._open
        if wafer is not None and not wafer.places:
            wafer.said.classes = self._classes

    def _summary(self, statement: Statement) -> None:
        found = summaries_of(self._summary_columns, statement.values, statement.line, self._problems)
        if self._open is not None:
            self._open.said.summary += found

    def _close(self, wafer: _OpenWafer) -> Iterator[Wafer]:
        if not wafer.places:
            wafer_id = wafer.said.facts.get("WAFERID", Stated((), 0))
            complain_of_silence(" ".join(wafer_id.values), wafer.said.line, self._problems)
            return
        yield wafer_of(wafer.said, wafer.places, self._tables, 1.0, self._problems)
