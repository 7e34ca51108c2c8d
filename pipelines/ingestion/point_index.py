"""Points sorted by place, so that the points of a window are found without looking at the others.

A place is kept as a 31-bit fraction of the frame (0.14 nm on 300 mm). The pixel of a point at any level is then exact
integer arithmetic, `fraction * pixels >> 31`: a point on the border of two pixels belongs to the same one whichever
window or level asks, so counts over a level always add up to the number of defects.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.tiling import Window

FRACTION_BITS = 31
MAX_GRID_BITS = 8
"""At most 256 x 256 cells: the cell number fits 16 bits, which NumPy sorts in linear time."""


def fractions(offset_um: NDArray[np.float32], diameter_um: float) -> NDArray[np.uint32]:
    """Offsets from the centre as fractions of the frame in units of 2^-31.

    Places outside of the frame are pulled to its rim: a defect is never dropped (readers warn about such places).

    Args:
        offset_um: (N,), micrometres from the wafer's centre.
        diameter_um: side of the frame.

    Returns:
        uint32 (N,), each below 2^31.
    """
    scaled = (offset_um.astype(np.float64) / diameter_um + 0.5) * (1 << FRACTION_BITS)
    return np.clip(scaled, 0, (1 << FRACTION_BITS) - 1).astype(np.uint32)


def located(
    row: NDArray[np.uint32], column: NDArray[np.uint32], window: Window, *, clip: bool = True
) -> NDArray[np.int32]:
    """Pixels of a window, numbered row by row, that points lie in.

    Args:
        row: fractions from the top, (N,).
        column: fractions from the left, (N,).
        window: where to look.
        clip: False if all points are known to lie in the window.

    Returns:
        int32 (M,), one for each point in the window.
    """
    level = window.level
    y = ((row.astype(np.int64) * level.height) >> FRACTION_BITS) - window.top
    x = ((column.astype(np.int64) * level.width) >> FRACTION_BITS) - window.left
    if clip:
        inside = (y >= 0) & (y < window.height) & (x >= 0) & (x < window.width)
        y, x = y[inside], x[inside]
    return (y * window.width + x).astype(np.int32)


@dataclass(frozen=True, eq=False)
class PointIndex:
    """Points in the order of the cells of a coarse grid, row by row.

    Attributes:
        row: fractions from the top, (N,), in the order of the cells.
        column: fractions from the left, (N,), likewise.
        first: where each cell's points begin, (cells + 1,).
        bits: the grid has 2^bits rows and columns.
    """

    row: NDArray[np.uint32]
    column: NDArray[np.uint32]
    first: NDArray[np.int64]
    bits: int

    @staticmethod
    def build(row: NDArray[np.uint32], column: NDArray[np.uint32]) -> "PointIndex":
        """Sort points into cells of about sixteen points each; linear in the number of points."""
        bits = min(MAX_GRID_BITS, max(0, (len(row).bit_length() - 4) // 2))
        shift = FRACTION_BITS - bits
        cell = (((row >> shift) << bits) | (column >> shift)).astype(np.uint16)
        order = np.argsort(cell, kind="stable")
        sizes = np.bincount(cell, minlength=1 << (2 * bits))
        first = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        return PointIndex(row[order], column[order], first, bits)

    def located(self, window: Window) -> NDArray[np.int32]:
        """`located` of the points; looks only at those in the cells that the window touches."""
        level, shift = window.level, FRACTION_BITS - self.bits
        top, bottom = _cells(window.top, window.bottom, level.height, shift)
        left, right = _cells(window.left, window.right, level.width, shift)
        if top >= bottom or left >= right:
            return np.zeros(0, np.int32)
        side = 1 << self.bits
        if left == 0 and right == side:
            spans = [(self.first[top * side], self.first[bottom * side])]
        else:
            rows = np.arange(top, bottom) * side
            spans = list(zip(self.first[rows + left], self.first[rows + right], strict=True))
        row = np.concatenate([self.row[begin:end] for begin, end in spans])
        column = np.concatenate([self.column[begin:end] for begin, end in spans])
        return located(row, column, window)


def _cells(begin_px: int, end_px: int, level_px: int, shift: int) -> tuple[int, int]:
    """Half-open range of cells that hold the fractions of the pixels [begin, end)."""
    begin_px, end_px = max(begin_px, 0), min(end_px, level_px)
    if begin_px >= end_px:
        return 0, 0
    first = -(-(begin_px << FRACTION_BITS) // level_px)
    last = -(-(end_px << FRACTION_BITS) // level_px) - 1
    return first >> shift, (last >> shift) + 1
