"""The statements of a new file in the flat dialect (1.0-1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import DefectRows, Part, Statement
from pipelines.ingestion.formats.klarf.words import quote

if TYPE_CHECKING:
    from pipelines.ingestion.formats.klarf.new import NewLot, NewWafer

SUMMARY = ("TESTNO", "NDEFECT", "DEFDENSITY", "NDIE", "NDEFDIE")


def flat_parts(
    lot: NewLot, wafers: Sequence[NewWafer], tables: Sequence[Defects], plans: Sequence[NDArray[np.int32]], version: str
) -> tuple[Part, ...]:
    """Statements in the order tools write them; one DefectList per wafer."""
    parts: list[Part] = list(_lot(lot, version))
    for ordinal, (wafer, table, plan) in enumerate(zip(wafers, tables, plans, strict=True)):
        parts += _wafer(lot, wafer, table, plan, ordinal)
    return tuple(parts)


def _lot(lot: NewLot, version: str) -> Iterator[Part]:
    when = stamp(lot.inspected_at)
    yield Statement("FileVersion", version.replace(".", " "))
    yield Statement("FileTimestamp", when)
    yield Statement("InspectionStationID", " ".join(quote(part) for part in lot.tool))
    yield Statement("SampleType", "WAFER")
    yield Statement("ResultTimestamp", when)
    yield Statement("LotID", quote(lot.lot))
    yield Statement("SampleSize", f"1 {lot.diameter_mm:g}")
    yield Statement("DeviceID", quote(lot.product))
    yield Statement("SetupID", f"{quote(lot.recipe)} {when}")
    yield Statement("StepID", quote(lot.step))
    yield Statement("SampleOrientationMarkType", "NOTCH")
    yield Statement("OrientationMarkLocation", "DOWN")
    yield Statement("DiePitch", f"{lot.die_pitch_um.x:.10e} {lot.die_pitch_um.y:.10e}")
    yield Statement("ClassLookup", counted(f"{number} {quote(name)}" for number, name in lot.classes.items()))


def _wafer(lot: NewLot, wafer: NewWafer, table: Defects, plan: NDArray[np.int32], ordinal: int) -> Iterator[Part]:
    yield Statement("DieOrigin", "0.0000000000e+00 0.0000000000e+00")
    yield Statement("WaferID", quote(wafer.wafer))
    yield Statement("Slot", str(wafer.slot))
    yield Statement("SampleCenterLocation", f"{lot.centre.x:.10e} {lot.centre.y:.10e}")
    yield Statement("OrientationInstructions", '""')
    yield Statement("CoordinatesMirrored", "NO")
    yield Statement("InspectionTest", "1")
    yield Statement("SampleTestPlan", counted(f"{x} {y}" for x, y in plan.tolist()))
    yield Statement("AreaPerTest", f"{area_um2(lot, plan):.10e}")
    names = " ".join(column.name for column in table.layout)
    yield Statement("DefectRecordSpec", f"{len(table.layout)} {names}")
    yield DefectRows(ordinal, 0, len(table))
    yield Statement("SummarySpec", f"{len(SUMMARY)} {' '.join(SUMMARY)}")
    yield Statement("SummaryList", " ".join(summary_row(lot, table, plan)))


def counted(groups: Iterator[str]) -> str:
    """`n` and then one group a line."""
    lines = list(groups)
    return "\n  ".join([str(len(lines)), *lines])


def stamp(moment: datetime) -> str:
    """Date and time as 1.2 writes them."""
    return moment.strftime("%m-%d-%Y %H:%M:%S")


def area_um2(lot: NewLot, plan: NDArray[np.int32]) -> float:
    """Inspected area of a wafer: dies times their step."""
    return len(plan) * lot.die_pitch_um.x * lot.die_pitch_um.y


def summary_row(lot: NewLot, table: Defects, plan: NDArray[np.int32]) -> tuple[str, ...]:
    """What the tool would have counted, in the order of `SUMMARY`; density in defects per cm²."""
    dies = np.stack([table.columns["XINDEX"], table.columns["YINDEX"]], axis=1)
    area_cm2 = area_um2(lot, plan) * 1e-8
    density = len(table) / area_cm2 if area_cm2 else 0.0
    defective = len(np.unique(dies, axis=0)) if len(dies) else 0
    return ("1", str(len(table)), f"{density:.10e}", str(len(plan)), str(defective))
