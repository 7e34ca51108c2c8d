"""A new KLARF file from plain arrays: positions in the wafer frame in, valid 1.2 or 1.8 out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.assemble import assemble
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import ColumnType
from pipelines.ingestion.formats.klarf.model import Klarf, Point
from pipelines.ingestion.formats.klarf.new_flat import flat_parts
from pipelines.ingestion.formats.klarf.new_nested import nested_parts

Version = Literal["1.0", "1.1", "1.2", "1.3", "1.8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLot:
    """What is the same for all wafers of the file.

    Attributes:
        lot, product, step, recipe: names.
        tool: maker, model, id.
        inspected_at: in the tool's local time.
        diameter_mm: of the round wafers.
        die_pitch_um: step from die to die.
        centre_um: wafer centre from the lower-left corner of die (0, 0); None = it is the middle of that die.
        classes: class number → name.
    """

    lot: str
    product: str
    step: str
    inspected_at: datetime
    diameter_mm: float
    die_pitch_um: Point
    tool: tuple[str, str, str] = ("NONE", "NONE", "NONE")
    recipe: str = "NONE"
    centre_um: Point | None = None
    classes: Mapping[int, str] = field(default_factory=lambda: {0: "Unclassified"})

    def __post_init__(self) -> None:
        """Check the geometry once.

        Raises:
            InputError: a length is not positive.
        """
        if not (self.diameter_mm > 0 and self.die_pitch_um.x > 0 and self.die_pitch_um.y > 0):
            raise InputError("bad wafer geometry", where=self.lot, expected="positive diameter and die pitch")

    @property
    def centre(self) -> Point:
        """Wafer centre from the lower-left corner of die (0, 0)."""
        return self.centre_um or Point(self.die_pitch_um.x / 2, self.die_pitch_um.y / 2)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NewWafer:
    """One wafer with N defects.

    Attributes:
        wafer: its id.
        slot: in its carrier.
        x_um, y_um: (N,) micrometres from the wafer centre, notch down, y up.
        classes: (N,) class numbers; None = all 0.
        sizes_um: (N,) defect sizes; None = 1 µm.
        dies: (D, 2) indices of the inspected dies; None = all dies that touch the wafer.
        columns: further columns, name → (N,); units of the file (µm in 1.2, nm in 1.8).
    """

    wafer: str
    slot: int = 1
    x_um: NDArray[Any]
    y_um: NDArray[Any]
    classes: NDArray[Any] | None = None
    sizes_um: NDArray[Any] | None = None
    dies: NDArray[Any] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def new_klarf(lot: NewLot, wafers: Sequence[NewWafer], version: Version = "1.2") -> Klarf:
    """A file about `wafers`, ready for `write_klarf`.

    Positions are rounded to a nanometre, as inspection tools write them.
    """
    unit_um = 0.001 if version == "1.8" else 1.0
    tables = tuple(_table(lot, wafer, unit_um) for wafer in wafers)
    plans = tuple(dies_on_disc(lot) if wafer.dies is None else np.asarray(wafer.dies, np.int32) for wafer in wafers)
    parts = nested_parts if version == "1.8" else flat_parts
    return assemble(version, parts(lot, wafers, tables, plans, version), tables)


def dies_on_disc(lot: NewLot) -> NDArray[np.int32]:
    """Indices (D, 2) of all dies that touch the wafer, column by column."""
    radius, pitch, centre = lot.diameter_mm * 500, lot.die_pitch_um, lot.centre
    x = np.arange(np.floor((centre.x - radius) / pitch.x), np.ceil((centre.x + radius) / pitch.x))
    y = np.arange(np.floor((centre.y - radius) / pitch.y), np.ceil((centre.y + radius) / pitch.y))
    near_x = np.clip(centre.x, x * pitch.x, (x + 1) * pitch.x) - centre.x
    near_y = np.clip(centre.y, y * pitch.y, (y + 1) * pitch.y) - centre.y
    inside = np.hypot(near_x[:, None], near_y[None, :]) < radius
    column, row = np.nonzero(inside)
    return np.stack([x[column], y[row]], axis=1).astype(np.int32)


def _table(lot: NewLot, wafer: NewWafer, unit_um: float) -> Defects:
    count = len(wafer.x_um)
    x = np.asarray(wafer.x_um, np.float64) + lot.centre.x
    y = np.asarray(wafer.y_um, np.float64) + lot.centre.y
    column, row = np.floor(x / lot.die_pitch_um.x), np.floor(y / lot.die_pitch_um.y)
    size = np.ones(count) if wafer.sizes_um is None else np.asarray(wafer.sizes_um, np.float64)
    lengths = {
        "XREL": x - column * lot.die_pitch_um.x,
        "YREL": y - row * lot.die_pitch_um.y,
        "XSIZE": size,
        "YSIZE": size,
        "DSIZE": size,
    }
    scaled = {name: _in_file_units(values, unit_um) for name, values in lengths.items()}
    columns: dict[str, NDArray[Any]] = {
        "DEFECTID": np.arange(1, count + 1),
        "XREL": scaled["XREL"],
        "YREL": scaled["YREL"],
        "XINDEX": column.astype(np.int32),
        "YINDEX": row.astype(np.int32),
        "XSIZE": scaled["XSIZE"],
        "YSIZE": scaled["YSIZE"],
        "DEFECTAREA": np.round(size * size, 6) / unit_um**2,
        "DSIZE": scaled["DSIZE"],
        "CLASSNUMBER": np.zeros(count, np.int32) if wafer.classes is None else wafer.classes,
        "TEST": np.ones(count, np.int32),
        "CLUSTERNUMBER": np.zeros(count, np.int32),
    } | dict(wafer.columns)
    nested = unit_um != 1
    layout = tuple(ColumnType(name, _declared(values) if nested else "") for name, values in columns.items())
    return Defects(layout, columns)


def _in_file_units(length_um: NDArray[np.float64], unit_um: float) -> NDArray[Any]:
    return np.round(length_um, 3) if unit_um == 1 else np.round(length_um / unit_um).astype(np.int64)


def _declared(values: NDArray[Any]) -> str:
    return {"f": "float", "i": "int32", "u": "int32", "b": "int32"}.get(values.dtype.kind, "string")
