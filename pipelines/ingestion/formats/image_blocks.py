"""Which rectangles of an image are decoded for which windows, so that each pixel is decoded once.

Windows come row by row. Where the file has tiles, neighbouring windows are decoded together, a bounded number at a
time. Where it must be decoded in full rows from top to bottom, all windows of a row are one rectangle, and rows that
the next windows share with it are kept: to go back by one row, decoders of PNG and JPEG start again from the top.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from models.domain.patch import Patch
from models.domain.tiling import Level, Window

CHUNK_BYTES = 8 << 20
"""Pixels decoded together where the file has tiles; the child sends pieces of the same size."""


@dataclass(frozen=True, slots=True)
class Area:
    """Rows [top, bottom) and columns [left, right) of a level, inside of it."""

    level: Level
    top: int
    left: int
    bottom: int
    right: int

    @staticmethod
    def of(window: Window) -> "Area":
        """The part of a window that lies in its level."""
        level = window.level
        return Area(
            level,
            min(max(window.top, 0), level.height),
            min(max(window.left, 0), level.width),
            max(min(window.bottom, level.height), 0),
            max(min(window.right, level.width), 0),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, 0 where there are none."""
        return max(self.bottom - self.top, 0), max(self.right - self.left, 0)

    def holds(self, other: "Area") -> bool:
        """True if the other one lies in this one."""
        return (
            self.level == other.level
            and self.top <= other.top
            and self.left <= other.left
            and other.bottom <= self.bottom
            and other.right <= self.right
        )


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Decoded pixels.

    Attributes:
        area: where.
        pixels: uint8 (rows, columns, bands).
        valid: float32 (rows, columns), share of each pixel that shows something; None = all.
    """

    area: Area
    pixels: NDArray[np.uint8]
    valid: NDArray[np.float32] | None

    def patch(self, window: Window) -> Patch:
        """A window of it, padded with zeros that count as not inspected."""
        area = Area.of(window)
        rows, columns = area.shape
        top, left = area.top - self.area.top, area.left - self.area.left
        source = np.s_[top : top + rows, left : left + columns]
        shape = (window.height, window.width, self.pixels.shape[2])
        pixels = np.empty(shape, np.uint8) if (rows, columns) == shape[:2] else np.zeros(shape, np.uint8)
        if not rows or not columns:
            return Patch(window, pixels, 0.0)
        row, column = area.top - window.top, area.left - window.left
        pixels[row : row + rows, column : column + columns] = self.pixels[source]
        inside = rows * columns / (window.height * window.width)
        shown = 1.0 if self.valid is None else float(self.valid[source].mean(dtype=np.float64))
        return Patch(window, pixels, inside * shown)

    def below(self, top: int) -> "Block":
        """Its rows from `top` on."""
        cut = top - self.area.top
        valid = None if self.valid is None else self.valid[cut:]
        return Block(replace(self.area, top=top), self.pixels[cut:], valid)

    def followed_by(self, other: "Block") -> "Block":
        """With the rows of another one below, which begins where this one ends."""
        valid = None
        if self.valid is not None or other.valid is not None:
            valid = np.concatenate([self._valid_share(), other._valid_share()])
        pixels = np.concatenate([self.pixels, other.pixels])
        return Block(replace(self.area, bottom=other.area.bottom), pixels, valid)

    def _valid_share(self) -> NDArray[np.float32]:
        return np.ones(self.area.shape, np.float32) if self.valid is None else self.valid


@dataclass(frozen=True, slots=True)
class Step:
    """Windows that are cut from one block.

    Attributes:
        windows: at least one.
        area: what the block must hold.
        fresh: the part of it that must be decoded; None = nothing. What lies above is in the block before.
    """

    windows: tuple[Window, ...]
    area: Area
    fresh: Area | None


def steps(windows: Iterable[Window], bands: int, sequential: bool) -> Iterator[Step]:
    """Group windows, in their order.

    Args:
        windows: usually row by row; any other order works, with more decoding.
        bands: of the image.
        sequential: True if the file is decoded in full rows from top to bottom.
    """
    before: Area | None = None
    for (level, _, _), row in groupby(windows, key=lambda window: (window.level, window.top, window.height)):
        if not sequential:
            yield from _chunks(tuple(row), bands)
            continue
        some = tuple(row)
        wanted = replace(Area.of(some[0]), left=0, right=level.width)
        fresh: Area | None = wanted
        if before is not None and before.level == level and before.top <= wanted.top < before.bottom:
            fresh = replace(wanted, top=before.bottom) if before.bottom < wanted.bottom else None
            wanted = replace(wanted, bottom=max(before.bottom, wanted.bottom))
        yield Step(some, wanted, fresh)
        before = wanted


def _chunks(row: tuple[Window, ...], bands: int) -> Iterator[Step]:
    many = max(1, CHUNK_BYTES // (row[0].height * row[0].width * bands))
    for begin in range(0, len(row), many):
        some = row[begin : begin + many]
        areas = [Area.of(window) for window in some]
        wanted = replace(areas[0], left=min(a.left for a in areas), right=max(a.right for a in areas))
        yield Step(some, wanted, wanted)


def scale_of(level: Level, height: int, width: int, name: str) -> int:
    """How many pixels of the image lie along one pixel of a level.

    Raises:
        InputError: the level belongs to another capture.
    """
    scale = 1
    while scale <= max(height, width) * 2:
        if (-(-height // scale), -(-width // scale)) == (level.height, level.width):
            return scale
        scale *= 2
    raise InputError(
        "window of another capture", where=name, expected=f"a level of {height} x {width} pixels", got=str(level)
    )
