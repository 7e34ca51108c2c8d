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
    classes = listing_with(
        "ClassLookupList",
        ("int32 CLASSNUMBER", "string CLASSNAME", "string CLASSCODE"),
        ((str(number), quote(name), '""') for number, name in lot.classes.items()),
    )
    lot_record = Record(
        "LotRecord",
        lot.lot,
        (
            field_with("DeviceID", quote(lot.product)),
            field_with("DiePitch", nm(lot.die_pitch_um.x), nm(lot.die_pitch_um.y)),
            field_with("InspectionStationID", *map(quote, lot.tool)),
            field_with("OrientationMarkLocation", "0"),
            field_with("RecipeID", quote(lot.recipe), *when),
            field_with("ResultTimestamp", *when),
            field_with("SampleOrientationMarkType", '"NOTCH"'),
            field_with("SampleSize", nm(lot.diameter_mm * 1000), "0"),
            field_with("SampleType", '"WAFER"'),
            field_with("StepID", quote(lot.step)),
            classes,
            *records,
        ),
    )
    return (Record("FileRecord", version, (field_with("FileTimestamp", *when), lot_record)),)


def _wafer(lot: NewLot, wafer: NewWafer, table: Defects, plan: NDArray[np.int32], ordinal: int) -> Record:
    dies = ((str(x), str(y)) for x, y in plan.tolist())
    test = Record(
        "TestRecord",
        "1",
        (
            field_with("AreaPerTest", f"{area_um2(lot, plan) * _NM2_PER_UM2:.10e}"),
            listing_with("SampleTestPlanList", ("int32 XINDEX", "int32 YINDEX"), dies),
        ),
    )
    types = ("int32", "int32", "float", "int32", "int32")
    counts = listing_with(
        "TestSummaryList",
        [f"{kind} {name}" for kind, name in zip(types, SUMMARY, strict=True)],
        [summary_row(lot, table, plan)],
    )
    parts: tuple[Part, ...] = (
        field_with("DieOrigin", "0", "0"),
        field_with("SampleCenterLocation", nm(lot.centre.x), nm(lot.centre.y)),
        field_with("SlotNumber", str(wafer.slot)),
        field_with("OrientationInstructions", '""'),
        DefectRows(ordinal, 0, len(table)),
        test,
        Record("SummaryRecord", None, (counts,)),
    )
    return Record("WaferRecord", wafer.wafer, parts)


def field_with(name: str, *values: str) -> Field:
    """A field of these words, which are quoted already where they are texts."""
    return Field(name, ", ".join(values))


def listing_with(name: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> Listing:
    """A list of columns, each `TYPE NAME`, and of rows of words."""
    kinds = tuple(ColumnType(label, kind) for kind, label in (column.split(" ", 1) for column in columns))
    return Listing(name, kinds, "\n".join(" ".join(row) + " ;" for row in rows))


def nm(length_um: float) -> str:
    """Whole nanometres; the length is finite in them."""
    return str(round(length_um * _NM_PER_UM))
