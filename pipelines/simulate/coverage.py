"""What the tool did not look at: a few dies left out on good wafers, a large part on incomplete ones."""

import math

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.dies import DieLayout
from pipelines.simulate.shapes import between, turned

_LEAST, _MOST = 0.12, 0.75
"""Share of dies an incomplete inspection leaves out. Below, nobody would call it incomplete."""

_SMALL_DIE = 0.12
"""Dies up to this size (wafer radii) may be left out singly; larger gaps could be taken for an incomplete wafer."""


def without_test_dies(rng: np.random.Generator, layout: DieLayout) -> DieLayout:
    """Leave out a few single dies, as products with process-control dies do."""
    large = max(layout.pitch_um) > _SMALL_DIE * layout.diameter_um / 2
    if large or len(layout.columns) < 60:
        return layout
    keep = np.ones(len(layout.columns), dtype=np.bool_)
    keep[rng.choice(len(keep), int(rng.integers(1, 6)), replace=False)] = False
    return layout.only(keep)


def incomplete(rng: np.random.Generator, layout: DieLayout) -> DieLayout:
    """Leave out a large part of the wafer.

    Four ways, equally likely: the scan stops part-way (rows are scanned in turn, in alternating directions), one side
    is missing, a sector is missing, a band is missing.

    Returns:
        The dies still inspected, a quarter to nine tenths of them.
    """
    x, y = layout.corners_um()
    x, y = (x + layout.pitch_um[0] / 2) / layout.reach_um, (y + layout.pitch_um[1] / 2) / layout.reach_um
    cut = (_stopped_scan, _missing_side, _missing_sector, _missing_band)[int(rng.integers(0, 4))]
    for _ in range(100):
        keep = cut(rng, x, y, layout)
        if _LEAST <= 1 - keep.mean() <= _MOST:
            return layout.only(keep)
    return layout.only(_stopped_at(0.6, layout))


Places = NDArray[np.float64]
"""Die centres along one axis, float64 (D,), in radii of the inspected disc."""


def _stopped_scan(rng: np.random.Generator, _x: Places, _y: Places, layout: DieLayout) -> NDArray[np.bool_]:
    return _stopped_at(between(rng, 1 - _MOST, 1 - _LEAST), layout)


def _stopped_at(share: float, layout: DieLayout) -> NDArray[np.bool_]:
    """The first `share` of the dies in scan order: from the top, every second row from right to left."""
    forth = np.where(layout.rows % 2 == 0, layout.columns, -layout.columns)
    order = np.lexsort((forth, -layout.rows))
    keep = np.zeros(len(order), dtype=np.bool_)
    keep[order[: max(1, math.ceil(share * len(order)))]] = True
    return keep


def _missing_side(rng: np.random.Generator, x: Places, y: Places, _layout: DieLayout) -> NDArray[np.bool_]:
    along = turned(np.stack((x, y)), between(rng, 0, 2 * np.pi))[0]
    return np.asarray(along < between(rng, -0.4, 0.7))


def _missing_sector(rng: np.random.Generator, x: Places, y: Places, _layout: DieLayout) -> NDArray[np.bool_]:
    opening = np.deg2rad(between(rng, 60, 220))
    angle = np.mod(np.arctan2(y, x) - between(rng, 0, 2 * np.pi), 2 * np.pi)
    return np.asarray(angle > opening)


def _missing_band(rng: np.random.Generator, x: Places, y: Places, _layout: DieLayout) -> NDArray[np.bool_]:
    along = x if rng.random() < 0.5 else y
    return np.asarray(np.abs(along - between(rng, -0.4, 0.4)) > between(rng, 0.12, 0.4))
