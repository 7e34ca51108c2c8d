"""Die layouts: where the dies of a wafer lie, which of them the tool looks at, and where in its die a defect is."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True, eq=False)
class DieAddress:
    """Places of N defects in the way result files state them.

    Attributes:
        column: int32 (N,), die index to the right (XINDEX).
        row: int32 (N,), die index upwards (YINDEX).
        x_rel_um: float64 (N,), from the die's left edge.
        y_rel_um: float64 (N,), from the die's lower edge.
    """

    column: NDArray[np.int32]
    row: NDArray[np.int32]
    x_rel_um: NDArray[np.float64]
    y_rel_um: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DieLayout:
    """The inspected dies of one wafer, notch down, x right, y up.

    Attributes:
        diameter_um: of the wafer.
        pitch_um: width and height of a die including its street.
        centre_um: the wafer's centre, measured from the lower-left corner of die (0, 0).
        columns: int32 (D,), column index of each inspected die.
        rows: int32 (D,), row index of each inspected die.
        reach_um: defects are reported up to this distance from the centre (radius less edge exclusion).
    """

    diameter_um: float
    pitch_um: tuple[float, float]
    centre_um: tuple[float, float]
    columns: NDArray[np.int32]
    rows: NDArray[np.int32]
    reach_um: float
    _seen: NDArray[np.bool_] = field(init=False, repr=False)
    _first: tuple[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Build the lookup table behind `covers`.

        Raises:
            ConfigurationError: no die is inspected, or an extent is not positive.
        """
        if not len(self.columns) or min(*self.pitch_um, self.diameter_um, self.reach_um) <= 0:
            raise ConfigurationError(
                "bad die layout",
                expected="at least one inspected die and positive extents",
                got=f"{len(self.columns)} dies of {self.pitch_um} um on {self.diameter_um} um",
            )
        left, bottom = int(self.columns.min()), int(self.rows.min())
        # One empty row and column all around: indices outside are clipped onto it.
        seen = np.zeros((int(self.rows.max()) - bottom + 3, int(self.columns.max()) - left + 3), dtype=np.bool_)
        seen[self.rows - bottom + 1, self.columns - left + 1] = True
        object.__setattr__(self, "_seen", seen)
        object.__setattr__(self, "_first", (left - 1, bottom - 1))

    def covers(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell for each place (N,) relative to the wafer's centre whether the tool looks at it."""
        column = np.floor((x_um + self.centre_um[0]) / self.pitch_um[0]).astype(np.int32) - self._first[0]
        row = np.floor((y_um + self.centre_um[1]) / self.pitch_um[1]).astype(np.int32) - self._first[1]
        height, width = self._seen.shape
        inspected = self._seen[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        return np.asarray(inspected & (x_um * x_um + y_um * y_um <= self.reach_um**2))

    def locate(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> DieAddress:
        """Express places (N,) relative to the wafer's centre by die and place in the die."""
        from_die_zero_x, from_die_zero_y = x_um + self.centre_um[0], y_um + self.centre_um[1]
        column = np.floor(from_die_zero_x / self.pitch_um[0])
        row = np.floor(from_die_zero_y / self.pitch_um[1])
        return DieAddress(
            column.astype(np.int32),
            row.astype(np.int32),
            from_die_zero_x - column * self.pitch_um[0],
            from_die_zero_y - row * self.pitch_um[1],
        )

    def corners_um(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower-left corners x, y (D,) of the inspected dies, relative to the wafer's centre."""
        columns, rows = self.columns.astype(np.float64), self.rows.astype(np.float64)
        return columns * self.pitch_um[0] - self.centre_um[0], rows * self.pitch_um[1] - self.centre_um[1]

    def only(self, keep: NDArray[np.bool_]) -> "DieLayout":
        """Keep the inspected dies where `keep` (D,) is true; the others are no longer looked at.

        Raises:
            ConfigurationError: none is left.
        """
        return replace(self, columns=self.columns[keep], rows=self.rows[keep])

    def area_um2(self) -> float:
        """Inspected area, counting whole dies as tools do, but not more than the wafer has."""
        return float(min(len(self.columns) * self.pitch_um[0] * self.pitch_um[1], math.pi * self.reach_um**2))


def whole_wafer(
    diameter_um: float,
    pitch_um: tuple[float, float],
    *,
    shift: tuple[float, float] = (0.5, 0.5),
    edge_exclusion_um: float = 3_000.0,
    partial_dies: bool = True,
) -> DieLayout:
    """Lay dies over a wafer.

    Args:
        diameter_um: of the wafer.
        pitch_um: width and height of a die.
        shift: where in die (0, 0) the wafer's centre lies, as fractions of the pitch.
        edge_exclusion_um: rim at which the tool does not look.
        partial_dies: True if dies cut by the rim are inspected too, False if only whole ones are.

    Returns:
        All its dies, die (0, 0) in the middle.
    """
    reach = diameter_um / 2 - edge_exclusion_um
    centre = (shift[0] * pitch_um[0], shift[1] * pitch_um[1])
    columns, rows = (np.arange(-math.ceil(reach / p) - 1, math.ceil(reach / p) + 2, dtype=np.int32) for p in pitch_um)
    column, row = (grid.ravel() for grid in np.meshgrid(columns, rows))
    left, bottom = column * pitch_um[0] - centre[0], row * pitch_um[1] - centre[1]
    right, top = left + pitch_um[0], bottom + pitch_um[1]
    if partial_dies:
        nearest_x = np.clip(0.0, left, right)
        nearest_y = np.clip(0.0, bottom, top)
        inspected = np.hypot(nearest_x, nearest_y) < reach
    else:
        farthest_x = np.maximum(np.abs(left), np.abs(right))
        farthest_y = np.maximum(np.abs(bottom), np.abs(top))
        inspected = np.hypot(farthest_x, farthest_y) <= reach
    return DieLayout(diameter_um, pitch_um, centre, column[inspected], row[inspected], reach)
