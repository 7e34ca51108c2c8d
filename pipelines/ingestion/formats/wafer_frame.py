"""One frame for all wafers: micrometres from the wafer's centre, notch down, from what a KLARF file says.

    x = unit·XREL + XINDEX·pitch + origin − centre, likewise y; then mirrored if the file says so; then turned so that
    the notch lies at the bottom.

Tools disagree about mirrored and centred coordinates and about which frame the notch is given in, so each of these can
be overruled per tool.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from models.domain.capture import ReadWarning
from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion.formats.found import FoundWafer
from pipelines.ingestion.formats.klarf.defects import Images
from pipelines.ingestion.formats.klarf.model import Point, Wafer
from pipelines.ingestion.formats.points import gates
from pipelines.ingestion.wafer_maps import DieGrid, Pictures, PointMap

_QUARTER_TURNS = {"DOWN": 0, "LEFT": 1, "UP": 2, "RIGHT": 3}
"""Counter-clockwise quarter turns that bring the notch down."""
_DIAMETERS_MM = (25, 50, 51, 76, 100, 125, 150, 200, 300, 450)
_OUTSIDE_DIE = 0.05
_PLACE = ("XREL", "YREL", "XINDEX", "YINDEX")


@dataclass(frozen=True, slots=True)
class ToolFrame:
    """How one tool writes coordinates, where it is not what its files say. None = believe the file.

    Attributes:
        mirrored: x grows to the left.
        centred: XREL and YREL count from the wafer's centre.
        quarter_turns: counter-clockwise quarter turns that bring the notch down, 0 to 3.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    mirrored: bool | None = None
    centred: bool | None = None
    quarter_turns: int | None = None

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: not a number of quarter turns.
        """
        if self.quarter_turns not in (None, 0, 1, 2, 3):
            raise ConfigurationError("bad tool frame", expected="0 to 3 quarter turns", got=str(self.quarter_turns))


def place_wafer(wafer: Wafer, where: str, tool: ToolFrame | None = None) -> FoundWafer:
    """Bring a wafer of a KLARF file into the common frame.

    Defects that cannot be right (outside of the wafer, outside of their die, on a die that was not inspected) are kept
    with a warning. Defects whose place is missing cannot be drawn; they are counted in a warning.

    Args:
        wafer: as the file has it.
        where: file and wafer, for warnings.
        tool: what to believe instead of the file.

    Raises:
        InputError: there are defects, but no columns XREL and YREL.
    """
    tool = tool or ToolFrame()
    warnings: list[ReadWarning] = []
    placed = _Placed.of(wafer, where, warnings)
    frame = _Frame.of(wafer, tool, where, warnings)
    x, y = frame.to_common(placed.x_um, placed.y_um, placed.column, placed.row)
    diameter = _diameter(wafer, x, y, where, warnings)
    grid = _grid(wafer, frame, where, warnings)
    columns: Mapping[str, NDArray[Any]] = wafer.defects.columns
    if placed.kept is not None:
        columns = {name: values[placed.kept] for name, values in columns.items()}
    pictures = _pictures(wafer.defects.images, placed.kept)
    points = PointMap(x.astype(np.float32), y.astype(np.float32), diameter, grid, columns, pictures)
    warnings += _in_dies(wafer, placed, where)
    warnings += _on_wafer(grid, diameter, where)
    warnings += gates(points, where)
    return FoundWafer(points, wafer.provenance, diameter, tuple(warnings))


def _pictures(images: Images, kept: NDArray[np.bool_] | None) -> Pictures | None:
    """The pictures of the defects that have a place, by the place of the defect among those."""
    if not len(images):
        return None
    if kept is None:
        return Pictures(images.row, images.page, images.file)
    some = kept[images.row]
    renumbered = (np.cumsum(kept) - 1).astype(np.int32)
    return Pictures(renumbered[images.row[some]], images.page[some], images.file[some])


def ordinals_with_place(wafer: Wafer) -> NDArray[np.int64]:
    """Which defects of the wafer `place_wafer` keeps, in its order: ordinals in the file's list."""
    _, finite = _places(wafer, wafer.provenance.wafer or "")
    return np.flatnonzero(finite)


def _places(wafer: Wafer, where: str) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:
    """The columns of `_PLACE`, 0 where the file lacks one, and which defects have all of them."""
    zeros = np.zeros(len(wafer.defects))
    parts = [_numbers(wafer.defects.columns.get(name, zeros), name, where) for name in _PLACE]
    return parts, np.logical_and.reduce([np.isfinite(part) for part in parts])


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Defects that have a place: within their die in micrometres, and the die's indices."""

    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    column: NDArray[np.float64]
    row: NDArray[np.float64]
    kept: NDArray[np.bool_] | None

    @staticmethod
    def of(wafer: Wafer, where: str, warnings: list[ReadWarning]) -> "_Placed":
        columns, count = wafer.defects.columns, len(wafer.defects)
        if not count:
            nothing = np.zeros(0)
            return _Placed(nothing, nothing, nothing, nothing, None)
        missing = [name for name in ("XREL", "YREL") if name not in columns]
        if missing:
            raise InputError(
                "defects without coordinates",
                where=where,
                expected="columns XREL and YREL",
                got=", ".join(columns)[:200],
            )
        parts, finite = _places(wafer, where)
        kept = None
        if not finite.all():
            lost = int(count - np.count_nonzero(finite))
            warnings.append(
                ReadWarning(
                    "defect-without-place", f"{where}: {lost} of {count} defects have no coordinates; not drawn"
                )
            )
            kept = finite
            parts = [part[finite] for part in parts]
        return _Placed(parts[0] * wafer.unit_um, parts[1] * wafer.unit_um, parts[2], parts[3], kept)


@dataclass(frozen=True, slots=True)
class _Frame:
    """From die indices and places within a die to the common frame."""

    pitch: Point
    origin: Point
    centre: Point
    mirrored: bool
    turns: int

    @staticmethod
    def of(wafer: Wafer, tool: ToolFrame, where: str, warnings: list[ReadWarning]) -> "_Frame":
        pitch = wafer.die_pitch_um
        if pitch is None or not (0 < pitch.x < 1e9 and 0 < pitch.y < 1e9):
            warnings.append(ReadWarning("no-die-pitch", f"{where}: no usable DiePitch; die indices are not used"))
            pitch = Point(0.0, 0.0)
        centred = wafer.centred if tool.centred is None else tool.centred
        centre = wafer.centre_um
        if centred:
            centre = Point(0.0, 0.0)
        elif centre is None or not (abs(centre.x) < 1e9 and abs(centre.y) < 1e9):
            centre = _middle(wafer, pitch)
            warnings.append(
                ReadWarning("no-centre", f"{where}: no SampleCenterLocation; ({centre.x:.0f}, {centre.y:.0f}) um taken")
            )
        turns = _QUARTER_TURNS.get(wafer.mark or "DOWN", 0)
        return _Frame(
            pitch,
            wafer.die_origin_um,
            centre,
            wafer.mirrored if tool.mirrored is None else tool.mirrored,
            turns if tool.quarter_turns is None else tool.quarter_turns,
        )

    def to_common(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        column: NDArray[np.float64],
        row: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = column * self.pitch.x + x + self.origin.x - self.centre.x
        y = row * self.pitch.y + y + self.origin.y - self.centre.y
        if self.mirrored:
            x = -x
        for _ in range(self.turns):
            x, y = -y, x
        return x, y


def _numbers(values: NDArray[Any], name: str, where: str) -> NDArray[np.float64]:
    if values.dtype.kind not in "iuf":
        raise InputError("coordinates that are no numbers", where=where, expected=f"{name}: numbers", got="text")
    numbers = values.astype(np.float64)
    # No wafer is a kilometre wide: such a number is as good as none.
    return np.where(np.abs(numbers) < 1e15, numbers, np.nan)


def _middle(wafer: Wafer, pitch: Point) -> Point:
    """Middle of the dies that were inspected; the origin of die (0, 0) where the file names none."""
    dies = wafer.inspected_dies if wafer.inspected_dies is not None else wafer.all_dies
    if dies is None or not len(dies):
        return Point(0.0, 0.0)
    low, high = dies.min(axis=0), dies.max(axis=0) + 1
    return Point(float(low[0] + high[0]) / 2 * pitch.x, float(low[1] + high[1]) / 2 * pitch.y)


def _diameter(
    wafer: Wafer, x: NDArray[np.float64], y: NDArray[np.float64], where: str, warnings: list[ReadWarning]
) -> float:
    said = wafer.diameter_um
    if said is not None and any(abs(said / 1000 - known) <= 0.03 * known for known in _DIAMETERS_MM):
        return said
    if said is not None and 0 < said < float("inf"):
        taken = min(_DIAMETERS_MM, key=lambda known: abs(known - said / 1000)) * 1000.0
        warnings.append(
            ReadWarning("odd-diameter", f"{where}: a wafer of {said / 1000:.1f} mm; {taken / 1000:.0f} mm taken")
        )
        return taken
    reach = 2 * float(np.hypot(x, y).max(initial=0.0)) / 1000 / 1.02
    taken = next((known for known in (100, 150, 200, 300, 450) if known >= reach), 300) * 1000.0
    taken = taken if len(x) else 300_000.0
    warnings.append(ReadWarning("no-diameter", f"{where}: no diameter; {taken / 1000:.0f} mm taken"))
    return taken


def _grid(wafer: Wafer, frame: _Frame, where: str, warnings: list[ReadWarning]) -> DieGrid | None:
    """The inspected dies; None = the whole disc, where the file does not say or the dies cannot be placed."""
    dies = wafer.inspected_dies
    if dies is None or not frame.pitch.x:
        return None
    if not len(dies):
        warnings.append(ReadWarning("nothing-inspected", f"{where}: the test plan names no die"))
    column, row = dies[:, 0].astype(np.float64), dies[:, 1].astype(np.float64)
    # The grid itself does not move with DieOrigin, which only says from where in a die XREL and YREL count.
    nothing = np.zeros(len(dies))
    grid = replace(frame, origin=Point(0.0, 0.0))
    # Both corners are turned: the one that was lower left may end up at any other.
    corners = [grid.to_common(nothing, nothing, column + one, row + one) for one in (0, 1)]
    pitch = (frame.pitch.y, frame.pitch.x) if frame.turns % 2 else (frame.pitch.x, frame.pitch.y)
    return DieGrid(np.minimum(corners[0][0], corners[1][0]), np.minimum(corners[0][1], corners[1][1]), pitch)


def _in_dies(wafer: Wafer, placed: _Placed, where: str) -> list[ReadWarning]:
    """Warnings about defects outside of their die, or on a die that no test inspected."""
    warnings: list[ReadWarning] = []
    pitch, count = wafer.die_pitch_um, len(placed.x_um)
    if pitch is None or not count or wafer.centred:
        return warnings
    beyond = np.zeros(count, np.bool_)
    for place, step in ((placed.x_um, pitch.x), (placed.y_um, pitch.y)):
        beyond |= (place < -_OUTSIDE_DIE * step) | (place > (1 + _OUTSIDE_DIE) * step)
    outside = int(np.count_nonzero(beyond))
    if outside:
        warnings.append(ReadWarning("outside-die", f"{where}: {outside} of {count} defects lie outside of their die"))
    dies = wafer.inspected_dies
    if dies is not None and len(dies):
        span = 1 << 31
        known = (dies[:, 1].astype(np.int64) << 32) + dies[:, 0]
        small = (np.abs(placed.column) < span) & (np.abs(placed.row) < span)
        own = (np.where(small, placed.row, span).astype(np.int64) << 32) + np.where(small, placed.column, 0).astype(
            np.int64
        )
        strays = int(np.count_nonzero(~np.isin(own, known)))
        if strays:
            message = f"{where}: {strays} of {count} defects lie on dies that no test inspected"
            warnings.append(ReadWarning("die-not-inspected", message))
    return warnings


def _on_wafer(grid: DieGrid | None, diameter_um: float, where: str) -> list[ReadWarning]:
    """A warning about inspected dies that do not touch the wafer: its centre or the pitch cannot be right."""
    if grid is None or not len(grid):
        return []
    # Of each die the point next to the centre.
    near_x = np.clip(0.0, grid.x_um, grid.x_um + grid.pitch_um[0])
    near_y = np.clip(0.0, grid.y_um, grid.y_um + grid.pitch_um[1])
    beyond = int(np.count_nonzero(np.hypot(near_x, near_y) > diameter_um / 2 * 1.02))
    if not beyond:
        return []
    return [
        ReadWarning("die-outside-wafer", f"{where}: {beyond} of {len(grid)} inspected dies lie outside of the wafer")
    ]
