"""Where the defects of many wafers lie, to within a thousandth of a pixel: what the trainer moves before it draws.

A place is a whole number of the pixel's subdivisions, so that the pixel of an unmoved defect is exactly the renderer's,
whatever the tile's side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.patch import DENSITY_FULL
from pipelines.ingestion.point_index import FRACTION_BITS
from pipelines.ingestion.wafer_maps import PointMap

_SINGLE = 5
"""Defects per pixel of the tile, on average, up to which every one is kept by itself; 1023 / 5 in a heap fit a byte."""


@dataclass(frozen=True, slots=True, eq=False)
class DefectPlaces:
    """The defects of N wafers, one after the other, D in all.

    Five bytes a defect. A wafer of more than 5·tile² defects (20,480 at 64 px) keeps heaps of defects that lie in one
    pixel and move as one, so that no wafer takes more than 6·tile² places (123 kB at 64 px), and no training step more
    than that times its batch. Heaps add up to what the renderer counts in each pixel, up to where its scale ends.

    Attributes:
        row: uint16 (D,), from the top, in units of 2^-bits pixels.
        column: uint16 (D,), from the left, likewise.
        weight: uint8 (D,), how many defects lie there.
        first: int64 (N + 1,), where each wafer's defects begin; the last is D.
        tile: side of the frame in pixels.
    """

    row: NDArray[np.uint16]
    column: NDArray[np.uint16]
    weight: NDArray[np.uint8]
    first: NDArray[np.int64]
    tile: int

    def __len__(self) -> int:
        """Number of wafers."""
        return len(self.first) - 1

    @property
    def bits(self) -> int:
        """Subdivisions of a pixel: 2^bits along each side, as many as 16 bits hold."""
        return _bits(self.tile)

    @staticmethod
    def of(wafers: Sequence[PointMap], tile: int) -> "DefectPlaces":
        """The places of the defects of some wafers, each drawn whole into a tile."""
        return _joined([_places(*wafer.positions, tile) for wafer in wafers], tile)

    @staticmethod
    def concatenated(parts: Sequence["DefectPlaces"]) -> "DefectPlaces":
        """The wafers of all parts, in order; at least one part."""
        return _joined([one for part in parts for one in part.each(range(len(part)))], parts[0].tile)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "DefectPlaces":
        """The chosen wafers, by mask or index; one may be chosen several times."""
        rows = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return _joined(self.each(rows.tolist()), self.tile)

    def each(self, wafers: Sequence[int]) -> "list[_Places]":
        """Row, column and weight of each of some wafers."""
        spans = [slice(int(self.first[one]), int(self.first[one + 1])) for one in wafers]
        return [(self.row[span], self.column[span], self.weight[span]) for span in spans]


_Places = tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]


def _bits(tile: int) -> int:
    return 16 - (tile - 1).bit_length()


def _joined(wafers: Sequence[_Places], tile: int) -> DefectPlaces:
    first = np.cumsum([0, *(len(weight) for _, _, weight in wafers)], dtype=np.int64)
    if not wafers:
        return DefectPlaces(np.empty(0, np.uint16), np.empty(0, np.uint16), np.empty(0, np.uint8), first, tile)
    row, column, weight = (np.concatenate(parts) for parts in zip(*wafers, strict=True))
    return DefectPlaces(row, column, weight, first, tile)


def _places(row: NDArray[np.uint32], column: NDArray[np.uint32], tile: int) -> _Places:
    """Places of one wafer's defects, from 31-bit fractions of the frame."""
    shift = FRACTION_BITS - _bits(tile)
    y, x = (((axis.astype(np.int64) * tile) >> shift).astype(np.uint16) for axis in (row, column))
    if len(y) <= _SINGLE * tile**2:
        return y, x, np.ones(len(y), np.uint8)
    return _heaps(y, x, tile)


def _heaps(y: NDArray[np.uint16], x: NDArray[np.uint16], tile: int) -> _Places:
    """Every so many defects of a pixel as one, at the place of the first of them."""
    bits = _bits(tile)
    pixel = (y >> bits).astype(np.int64) * tile + (x >> bits)
    order = np.argsort(pixel, kind="stable")
    inside = np.bincount(pixel, minlength=tile**2)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(inside) - inside, inside)
    drawn = np.minimum(inside, DENSITY_FULL)  # more than that look the same
    size = -(-int(drawn.sum()) // (_SINGLE * tile**2))
    left = np.repeat(drawn, inside) - rank
    kept = (rank % size == 0) & (left > 0)
    weight = np.minimum(left[kept], size).astype(np.uint8)
    return y[order[kept]], x[order[kept]], weight
