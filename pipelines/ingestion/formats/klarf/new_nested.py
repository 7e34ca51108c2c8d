"""The records of a new file in the nested dialect (1.8). Lengths are nanometres there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows, Field, Listing, Part, Record
from pipelines.ingestion.formats.klarf.new_flat import SUMMARY, area_um2, summary_row
from pipelines.ingestion.formats.klarf.words import quote

if TYPE_CHECKING:
    from pipelines.ingestion.formats.klarf.new import NewLot, NewWafer

_NM_PER_UM = 1000
_NM2_PER_UM2 = 1_000_000


def nested_parts(
    lot: NewLot, wafers: Sequence[NewWafer], tables: Sequence[Defects], plans: Sequence[NDArray[np.int32]], version: str
) -> tuple[Part, ...]:
    """One lot record with one wafer record for each wafer."""
    when = (quote(lot.inspected_at.strftime("%m-%d-%Y")), quote(lot.inspected_at.strftime("%H:%M:%S")))
    records = (_wafer(lot, *each, ordinal) for ordinal, each in enumerate(zip(wafers, tables, plans, strict=True)))
    classes = _listing(
        "ClassLookupList",
        ("int32 CLASSNUMBER", "string CLASSNAME", "string CLASSCODE"),
        ((str(number), quote(name), '""') for number, name in lot.classes.items()),
    )
    lot_record = Record(
        "LotRecord",
        lot.lot,
        (
            _field("DeviceID", quote(lot.product)),
            _field("DiePitch", _nm(lot.die_pitch_um.x), _nm(lot.die_pitch_um.y)),
            _field("InspectionStationID", *map(quote, lot.tool)),
            _field("OrientationMarkLocation", "0"),
            _field("RecipeID", quote(lot.recipe), *when),
            _field("ResultTimestamp", *when),
            _field("SampleOrientationMarkType", '"NOTCH"'),
            _field("SampleSize", _nm(lot.diameter_mm * 1000), "0"),
            _field("SampleType", '"WAFER"'),
            _field("StepID", quote(lot.step)),
            classes,
            *records,
        ),
    )
    return (Record("FileRecord", version, (_field("FileTimestamp", *when), lot_record)),)


def _wafer(lot: NewLot, wafer: NewWafer, table: Defects, plan: NDArray[np.int32], ordinal: int) -> Record:
    dies = ((str(x), str(y)) for x, y in plan.tolist())
    test = Record(
        "TestRecord",
        "1",
        (
            _field("AreaPerTest", f"{area_um2(lot, plan) * _NM2_PER_UM2:.10e}"),
            _listing("SampleTestPlanList", ("int32 XINDEX", "int32 YINDEX"), dies),
        ),
    )
    types = ("int32", "int32", "float", "int32", "int32")
    counts = _listing(
        "TestSummaryList",
        [f"{kind} {name}" for kind, name in zip(types, SUMMARY, strict=True)],
        [summary_row(lot, table, plan)],
    )
    parts: tuple[Part, ...] = (
        _field("DieOrigin", "0", "0"),
        _field("SampleCenterLocation", _nm(lot.centre.x), _nm(lot.centre.y)),
        _field("SlotNumber", str(wafer.slot)),
        _field("OrientationInstructions", '""'),
        DefectRows(ordinal, 0, len(table)),
        test,
        Record("SummaryRecord", None, (counts,)),
    )
    return Record("WaferRecord", wafer.wafer, parts)


def _field(name: str, *values: str) -> Field:
    return Field(name, ", ".join(values))


def _listing(name: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Listing:
    kinds = tuple(ColumnType(label, kind) for kind, label in (column.split() for column in columns))
    return Listing(name, kinds, "\n".join(" ".join(row) + " ;" for row in rows))


def _nm(length_um: float) -> str:
    return str(round(length_um * _NM_PER_UM))
