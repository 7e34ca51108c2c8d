"""Single facts about a wafer, from the words of either dialect to typed values in micrometres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Provenance
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import DefectRows
from pipelines.ingestion.formats.klarf.merging import merged
from pipelines.ingestion.formats.klarf.model import Direction, InspectionSummary, InspectionTest, Point, Wafer
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.words import number, whole

UM_PER_MM = 1000.0
_DIRECTIONS: Mapping[str, Direction] = {
    "DOWN": "DOWN",
    "LEFT": "LEFT",
    "UP": "UP",
    "RIGHT": "RIGHT",
    "0": "DOWN",
    "90": "LEFT",
    "180": "UP",
    "270": "RIGHT",
}
"""Where the mark is. 1.8 gives degrees; which way they count is known from one other reader only."""
_PIVOT = 70
_DATES = ("%m-%d-%Y", "%Y-%m-%d")
_TIMES = ("%H:%M:%S", "%H:%M")


@dataclass(frozen=True, slots=True)
class Stated:
    """The values of a statement or field, and the line it stands in."""

    values: tuple[str, ...]
    line: int


@dataclass(slots=True)
class WaferFacts:
    """All that a file says of one wafer.

    Attributes:
        facts: keyword of the flat dialect, in capitals → what it says.
        classes: class number → name.
        tests: what was inspected.
        all_dies: every die of the wafer; None = not said.
        summary: what the tool counted.
        line: where the wafer starts.
    """

    facts: dict[str, Stated] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    tests: list[InspectionTest] = field(default_factory=list)
    all_dies: NDArray[np.int32] | None = None
    summary: list[InspectionSummary] = field(default_factory=list)
    line: int = 0


def wafer_of(
    said: WaferFacts, rows: Sequence[DefectRows], tables: Sequence[Defects], unit_um: float, problems: Problems
) -> Wafer:
    """The wafer that the facts describe.

    Args:
        said: the facts.
        rows: its defects.
        tables: that the rows are in.
        unit_um: micrometres per unit of length in the file.
        problems: where to complain of values that make no sense; they count as not said.
    """
    read = _Reading(said.facts, problems)
    return Wafer(
        provenance=Provenance(
            lot=read.text("LOTID"),
            wafer=read.text("WAFERID"),
            slot=read.whole("SLOT"),
            product=read.text("DEVICEID"),
            step=read.text("STEPID"),
            tool=read.tool(),
            inspected_at=read.moment("RESULTTIMESTAMP"),
        ),
        defects=merged(tables, rows),
        rows=tuple(rows),
        unit_um=unit_um,
        diameter_um=read.diameter(unit_um),
        die_pitch_um=read.point("DIEPITCH", unit_um),
        die_origin_um=read.point("DIEORIGIN", unit_um) or Point(0.0, 0.0),
        centre_um=read.point("SAMPLECENTERLOCATION", unit_um),
        mark=read.direction("ORIENTATIONMARKLOCATION"),
        mirrored=read.yes("COORDINATESMIRRORED"),
        centred=read.yes("COORDINATESCENTERED"),
        side=read.text("ORIENTATIONINSTRUCTIONS") or "",
        classes=said.classes,
        tests=tuple(said.tests),
        all_dies=said.all_dies,
        summary=tuple(said.summary),
        line=said.line,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    facts: Mapping[str, Stated]
    problems: Problems

    def text(self, key: str) -> str | None:
        stated = self.facts.get(key)
        return " ".join(stated.values).strip() or None if stated else None

    def tool(self) -> str | None:
        """The third of maker, model and id; the last one if there are fewer."""
        stated = self.facts.get("INSPECTIONSTATIONID")
        words = stated.values[:3] if stated else ()
        return words[-1].strip() or None if words else None

    def whole(self, key: str) -> int | None:
        stated = self.facts.get(key)
        if stated is None or not stated.values:
            return None
        value = whole(stated.values[0])
        if value is None:
            self._complain(key, stated, "a whole number")
        return value

    def point(self, key: str, unit_um: float) -> Point | None:
        stated = self.facts.get(key)
        if stated is None or not stated.values:
            return None
        numbers = [number(word) for word in stated.values]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            self._complain(key, stated, "two numbers")
            return None
        return Point(numbers[0] * unit_um, numbers[1] * unit_um)

    def diameter(self, unit_um: float) -> float | None:
        """1.x: `1 mm` for discs, `2 mm mm` for rectangles; 1.8: the diameter and 0."""
        stated = self.facts.get("SAMPLESIZE")
        if stated is None or not stated.values:
            return None
        numbers = [number(word) for word in stated.values]
        known = [value for value in numbers if value is not None]
        if len(known) != len(numbers) or len(known) not in {2, 3}:
            self._complain("SAMPLESIZE", stated, "a kind and one or two lengths")
            return None
        nested = unit_um != 1
        is_disc = known[1] == 0 if nested else known[0] == 1
        if not is_disc:
            self.problems.warn("no-disc", "the sample is no disc", stated.line)
            return None
        return known[0] * unit_um if nested else known[1] * UM_PER_MM

    def direction(self, key: str) -> Direction | None:
        stated = self.facts.get(key)
        if stated is None or not stated.values:
            return None
        word = stated.values[0].upper()
        degrees = whole(word)
        found = _DIRECTIONS.get(word if degrees is None else str(degrees % 360))
        if found is None:
            self.problems.warn("unknown-direction", f"the mark is at {word[:20]!r}, which is unknown", stated.line)
        return found

    def yes(self, key: str) -> bool:
        stated = self.facts.get(key)
        return stated is not None and stated.values[:1] != () and stated.values[0].upper() in {"YES", "Y", "TRUE", "1"}

    def moment(self, key: str) -> datetime | None:
        stated = self.facts.get(key)
        if stated is None or not stated.values:
            return None
        moment = parse_moment(*stated.values) if len(stated.values) == 2 else None
        if moment is None:
            self.problems.warn("bad-time", f"{key} {' '.join(stated.values)[:40]!r} is no date and time", stated.line)
        return moment

    def _complain(self, key: str, stated: Stated, expected: str) -> None:
        self.problems.wrong(
            "bad-value",
            f"{key} makes no sense",
            line=stated.line,
            expected=expected,
            got=repr(" ".join(stated.values)[:40]),
            remedy="lenient mode takes it for not said",
        )


def parse_moment(date: str, time: str) -> datetime | None:
    """Date (MM-DD-YY, MM-DD-YYYY or YYYY-MM-DD) and time as tools write them; years of two digits begin in 1970."""
    parts = date.split("-")
    if len(parts) == 3 and len(parts[0]) <= 2 == len(parts[2]) and parts[2].isdecimal():
        year = int(parts[2])
        date = f"{parts[0]}-{parts[1]}-{year + (1900 if year >= _PIVOT else 2000)}"
    for day in _DATES:
        for hour in _TIMES:
            try:
                return datetime.strptime(f"{date} {time}", f"{day} {hour}")
            except ValueError:
                continue
    return None


def complain_of_silence(wafer: str, line: int, problems: Problems) -> None:
    """Note a wafer of whose defects the file says nothing; to take it for clean would be made up.

    Raises:
        InputError: in strict mode.
    """
    problems.wrong(
        "no-defect-list",
        "a wafer without a DefectList",
        line=line,
        expected="a DefectList, even an empty one",
        got=f"wafer {wafer!r} and nothing about its defects",
        remedy="lenient mode leaves the wafer out",
    )
