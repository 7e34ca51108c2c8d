"""Many patches together, in the smaller of two forms: pixels, or the scenes they are drawn from.

A window of 64 pixels a side takes 8,192 bytes. The defects of a sparse one take two each, and what was inspected is
mostly the same along a row: such patches travel between processes and to the device as scenes, and are drawn there
(`models.drawing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.patch import Patch, Scene

PLACE_BYTES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """The scenes of N windows of one size, one after the other: D defects and R runs of equal share in all.

    Attributes:
        tile: side of the windows in pixels, at most 181: a pixel's number is an int16.
        place: int16 (D,), the pixel of each defect in its window, row by row.
        defects: int32 (N,), how many there are in each window.
        share: uint8 (R,), how much of the pixels of a run was inspected.
        length: int16 (R,), pixels of a run; those of a window add up to tile².
        runs: int32 (N,), how many there are in each window.
    """

    tile: int
    place: NDArray[np.int16]
    defects: NDArray[np.int32]
    share: NDArray[np.uint8]
    length: NDArray[np.int16]
    runs: NDArray[np.int32]

    @staticmethod
    def of(scenes: Sequence[Scene]) -> "Scenes":
        """At least one, all of the same size."""
        share = np.stack([scene.share.ravel() for scene in scenes])
        begins = np.ones(share.shape, np.bool_)
        np.not_equal(share[:, 1:], share[:, :-1], out=begins[:, 1:])
        first = np.flatnonzero(begins)
        return Scenes(
            tile=len(scenes[0].share),
            place=np.concatenate([scene.place for scene in scenes]).astype(np.int16),
            defects=np.array([len(scene.place) for scene in scenes], np.int32),
            share=share.ravel()[first],
            length=np.diff(first, append=share.size).astype(np.int16),
            runs=begins.sum(axis=1, dtype=np.int32),
        )

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.defects)

    def __getitem__(self, part: slice) -> "Scenes":
        """Some windows that follow each other."""
        place, run = _span(self.defects, part), _span(self.runs, part)
        return Scenes(
            self.tile, self.place[place], self.defects[part], self.share[run], self.length[run], self.runs[part]
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the pixels they become."""
        return len(self), self.tile, self.tile, 2

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Of the pixels they become."""
        return np.dtype(np.uint8)

    @property
    def nbytes(self) -> int:
        """Bytes that travel."""
        return sum(one.nbytes for one in (self.place, self.defects, self.share, self.length, self.runs))


Patches = NDArray[np.uint8] | Scenes
"""N patches: pixels, uint8 (N, H, W, C), or scenes of them; both have a length, a shape, and are cut by slices."""


def together(patches: Sequence[Patch]) -> Patches:
    """Patches of one size in the form that takes fewer bytes; at least one patch."""
    scenes = [patch.content for patch in patches if isinstance(patch.content, Scene)]
    pixels = 2 * sum(scene.share.size for scene in scenes)
    if len(scenes) == len(patches) and _fits(scenes[0]) and pixels > PLACE_BYTES * sum(len(s.place) for s in scenes):
        found = Scenes.of(scenes)
        if found.nbytes < pixels:
            return found
    return np.stack([patch.pixels for patch in patches])


def joined(parts: Sequence[Patches]) -> Patches:
    """All patches of some parts of one form and shape, in order; at least one part."""
    if len(parts) == 1:
        return parts[0]
    scenes = [part for part in parts if isinstance(part, Scenes)]
    if not scenes:
        return np.concatenate([part for part in parts if not isinstance(part, Scenes)])
    columns = ((one.place, one.defects, one.share, one.length, one.runs) for one in scenes)
    place, defects, share, length, runs = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Scenes(scenes[0].tile, place, defects, share, length, runs)


def _span(sizes: NDArray[np.int32], part: slice) -> slice:
    begin, end, _ = part.indices(len(sizes))
    first = int(sizes[:begin].sum())
    return slice(first, first + int(sizes[begin:end].sum()))


def _fits(scene: Scene) -> bool:
    height, width = scene.share.shape
    return height == width and scene.share.size <= np.iinfo(np.int16).max
