"""The tile pyramid: levels of a capture and the windows that cover a level.

Level 0 is the whole capture in one tile; every further level is twice as fine. The edge rule: the last window is
pulled back inside; only a level smaller than a tile is covered by one window that overhangs it (the reader pads);
nothing is dropped.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from models.domain.capture import Capture, CaptureKind
from models.domain.errors import ConfigurationError

WAFER_FINEST_PX = 20_000
"""Inspection tools resolve about 15 µm on 300 mm: a finer raster would hold no information."""


@dataclass(frozen=True, slots=True)
class Level:
    """One raster of the pyramid, as if drawn: `height` × `width` pixels."""

    index: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Window:
    """A place in a capture: rows [top, top + height), columns [left, left + width) of `level`'s raster, in pixels."""

    level: Level
    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """First row below the window."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """First column right of the window."""
        return self.left + self.width

    @property
    def centre(self) -> tuple[float, float]:
        """(row, column) of the centre as fractions of the capture's height and width."""
        return (
            (self.top + self.height / 2) / self.level.height,
            (self.left + self.width / 2) / self.level.width,
        )

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) as fractions of the capture's height and width."""
        height, width = self.level.height, self.level.width
        return self.top / height, self.left / width, self.bottom / height, self.right / width


@dataclass(frozen=True, slots=True)
class Tiling:
    """How captures are cut.

    Attributes:
        tile: side of a window in pixels.
        overlap: pixels that neighbouring windows share at least, 0 <= overlap < tile.
        levels: pyramid levels to cut; negative numbers count from the finest, -1 = an image's own pixels.
        dense: pixels between the windows of levels larger than a tile, which are then judged in one pass over large
            blocks (`models.domain.blocks`); None = window by window, with `overlap`.
    """

    tile: int = 64
    overlap: int = 0
    levels: tuple[int, ...] = (0,)
    dense: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers once.

        Raises:
            ConfigurationError: tile < 1, overlap outside [0, tile), dense outside [1, tile], or no level.
        """
        step = self.tile if self.dense is None else self.dense
        if self.tile < 1 or not 0 <= self.overlap < self.tile or not 0 < step <= self.tile or not self.levels:
            raise ConfigurationError(
                "bad tiling",
                where="recipe.tiling",
                expected="tile >= 1, 0 <= overlap < tile, 1 <= dense <= tile, at least one level",
                got=f"tile={self.tile} overlap={self.overlap} dense={self.dense} levels={self.levels}",
            )

    def reads_densely(self, level: "Level") -> bool:
        """Whether the windows of a level are judged in blocks."""
        return self.dense is not None and max(level.height, level.width) > self.tile


def pyramid(capture: Capture, tile: int) -> tuple[Level, ...]:
    """All levels of a capture, coarsest first.

    A wafer is a square of `tile`·2^k pixels at level k, down to the resolution of inspection tools. The finest level of
    an image is its own pixels; each coarser level halves them (rounded up) until the image fits one tile.
    """
    if capture.kind is CaptureKind.WAFER:
        finest = max(0, math.ceil(math.log2(WAFER_FINEST_PX / tile)))
        return tuple(Level(k, tile << k, tile << k) for k in range(finest + 1))
    height, width = round(capture.height), round(capture.width)
    finest = max(0, math.ceil(math.log2(max(height, width) / tile)))
    return tuple(
        Level(k, -(-height // (1 << (finest - k))), -(-width // (1 << (finest - k)))) for k in range(finest + 1)
    )


def starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """First pixels of the windows that cover [0, length); the last one is pulled back inside.

    >>> starts(10, 4, 0)
    (0, 4, 6)
    """
    if length <= tile:
        return (0,)
    step = tile - overlap
    regular = range(0, length - tile, step)
    return (*regular, length - tile)


def windows(level: Level, tiling: Tiling) -> Iterator[Window]:
    """All windows of a level, row by row; together they cover every pixel."""
    for top in starts(level.height, tiling.tile, tiling.overlap):
        for left in starts(level.width, tiling.tile, tiling.overlap):
            yield Window(level, top, left, tiling.tile, tiling.tile)


def chosen_levels(capture: Capture, tiling: Tiling) -> Iterator[Level]:
    """The levels of a capture that are cut, in the tiling's order.

    Raises:
        ConfigurationError: the capture has no such level.
    """
    levels = pyramid(capture, tiling.tile)
    for index in tiling.levels:
        if not -len(levels) <= index < len(levels):
            raise ConfigurationError(
                "no such level",
                where=capture.name,
                expected=f"-{len(levels)} <= level < {len(levels)}",
                got=str(index),
                remedy="change recipe.tiling.levels",
            )
        yield levels[index]


def plan(capture: Capture, tiling: Tiling) -> Iterator[Window]:
    """All windows of a capture, level by level in the tiling's order.

    Raises:
        ConfigurationError: the capture has no such level.
    """
    for level in chosen_levels(capture, tiling):
        yield from windows(level, tiling)
