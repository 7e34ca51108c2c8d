"""Heat maps of inspections: written with them, listed without their cells, read one by one, dropped with verdicts."""

import zlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import load_only

from models.domain.heat import HeatMap
from models.domain.inspection import Inspection
from models.domain.tiling import Level
from services.records.session import ReadSession, WriteSession
from services.records.tables import HeatRow, InspectionRow, table_of


@dataclass(frozen=True, slots=True)
class HeatLine:
    """A heat map in a list.

    Attributes:
        number: within its inspection.
        level: of the pyramid.
        label: the class; None = refused a label.
        box: (top, left, bottom, right) as fractions of the capture.
        greatest: probability at the hottest place.
        rows: of cells.
        columns: of cells.
    """

    number: int
    level: int
    label: str | None
    box: tuple[float, float, float, float]
    greatest: float
    rows: int
    columns: int


def add_heat(session: WriteSession, inspection: Inspection) -> None:
    """Write the maps of an inspection that is being recorded: a few per cent of a byte for each cell that is cold."""
    rows = [
        {
            "inspection_id": inspection.id,
            "number": number,
            "level": one.level.index,
            "level_height": one.level.height,
            "level_width": one.level.width,
            "label": one.label,
            "box": list(one.box),
            "greatest": one.greatest,
            "rows": one.values.shape[0],
            "columns": one.values.shape[1],
            "cells": zlib.compress(one.values.tobytes()),
        }
        for number, one in enumerate(inspection.heat)
    ]
    if rows:
        session.execute(insert(table_of(HeatRow)), rows)


def heat_lines(session: ReadSession, inspection_id: str) -> tuple[HeatLine, ...]:
    """The maps of an inspection, level by level, in the order of the bundle's labels; none if nothing is dense."""
    wanted = select(HeatRow).where(HeatRow.inspection_id == inspection_id).order_by(HeatRow.number)
    listed = load_only(
        HeatRow.level, HeatRow.label, HeatRow.box, HeatRow.greatest, HeatRow.rows, HeatRow.columns, raiseload=True
    )
    return tuple(
        HeatLine(row.number, row.level, row.label, _box(row), row.greatest, row.rows, row.columns)
        for row in session.scalars(wanted.options(listed))
    )


def heat_map(session: ReadSession, inspection_id: str, number: int) -> HeatMap | None:
    """One map; None if there is none (any more)."""
    row = session.get(HeatRow, (inspection_id, number))
    if row is None:
        return None
    cells = np.frombuffer(zlib.decompress(row.cells), np.uint8).reshape(row.rows, row.columns)
    return HeatMap(Level(row.level, row.level_height, row.level_width), row.label, _box(row), cells)


def drop_heat(session: WriteSession, before: datetime, limit: int) -> int:
    """Drop the maps of some inspections recorded before a moment; returns of how many."""
    old = (
        select(HeatRow.inspection_id)
        .join(InspectionRow, InspectionRow.id == HeatRow.inspection_id)
        .where(InspectionRow.recorded_at < before)
        .distinct()
        .limit(limit)
    )
    ids = session.scalars(old).all()
    session.execute(delete(HeatRow).where(HeatRow.inspection_id.in_(ids)))
    return len(ids)


def _box(row: HeatRow) -> tuple[float, float, float, float]:
    top, left, bottom, right = row.box
    return top, left, bottom, right
