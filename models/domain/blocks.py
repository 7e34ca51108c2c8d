"""Blocks: large windows of a level in which one pass judges every small window at once (`models.dense`).

Neighbouring blocks overlap by a tile less one step, the halo that windows on both sides of a seam need: every window
lies whole in one block, so no result depends on where a block begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.tiling import Level, Window, starts

BLOCK_PX = 2048
"""Largest side of a block: a halo of 72 pixels is 4 % of it; its features take about a hundred megabytes."""


@dataclass(frozen=True, slots=True)
class Block:
    """Windows on a regular grid that are judged together.

    Attributes:
        level: whose raster they lie on.
        tile: side of each window in pixels.
        tops: their first rows, ascending.
        lefts: their first columns.
    """

    level: Level
    tile: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.tops) * len(self.lefts)

    @property
    def window(self) -> Window:
        """The block itself: what must be read to judge its windows."""
        height, width = (line[-1] - line[0] + self.tile for line in (self.tops, self.lefts))
        return Window(self.level, self.tops[0], self.lefts[0], height, width)

    def windows(self) -> Iterator[Window]:
        """Its windows, row by row."""
        for top in self.tops:
            for left in self.lefts:
                yield Window(self.level, top, left, self.tile, self.tile)


def blocks(level: Level, tile: int, step: int, largest: int = BLOCK_PX) -> Iterator[Block]:
    """Blocks whose windows cover a level, `step` pixels apart; the last window is pulled back inside (edge rule).

    Args:
        level: to cover.
        tile: side of a window.
        step: between neighbouring windows, 1..tile.
        largest: side of a block at most, at least a tile.
    """
    columns = _runs(level.width, tile, step, largest)
    for tops in _runs(level.height, tile, step, largest):
        for lefts in columns:
            yield Block(level, tile, tops, lefts)


def _runs(length: int, tile: int, step: int, largest: int) -> list[tuple[int, ...]]:
    """Starts of windows, in runs that share a block; the one pulled back off the steps is a run of its own."""
    every: NDArray[np.int64] = np.array(starts(length, tile, tile - step), dtype=np.int64)
    regular = every[every % step == 0]
    runs = np.array_split(regular, -(-len(regular) // ((largest - tile) // step + 1)))
    if len(regular) < len(every):
        runs.append(every[-1:])
    return [tuple(run.tolist()) for run in runs]
