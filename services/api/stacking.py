"""Many wafers laid on top of each other: what they share stands out, what each has alone fades.

Each wafer counts once in each cell, however many defects it has there: one crowded wafer must not outshine the others
(a hit-count stack; a sum of defects would show the worst wafer).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.wafer_maps import FAIL
from services.api.drawing import Drawing, states_of

CELLS = 120
"""Cells across: 2.5 mm on 300 mm, about the size of what a process leaves behind twice at the same place."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Some wafers as one map.

    Attributes:
        share: float64 (120, 120), row 0 at the top: share of the wafers with a defect (or a failed die) in the cell.
        wafers: how many there are.
    """

    share: NDArray[np.float64]
    wafers: int

    @property
    def most(self) -> float:
        """The largest share."""
        return float(self.share.max(initial=0))


def stack(drawings: Iterable[Drawing]) -> Stack:
    """Lay wafers on top of each other; images are left out, because they show different places."""
    hits = np.zeros((CELLS, CELLS), np.float64)
    wafers = 0
    for drawing in drawings:
        kind = drawing.geometry["kind"]
        if kind == "image":
            continue
        hits += _hits(drawing) if kind == "points" else _failed(states_of(drawing.geometry))
        wafers += 1
    return Stack(hits / max(1, wafers), wafers)


def _hits(drawing: Drawing) -> NDArray[np.bool_]:
    u, v = (drawing.places.astype(np.int64) * CELLS) >> 16
    counts: NDArray[np.bool_] = (np.bincount(v * CELLS + u, minlength=CELLS * CELLS) > 0).reshape(CELLS, CELLS)
    return counts


def _failed(states: NDArray[np.uint8]) -> NDArray[np.bool_]:
    rows = np.arange(CELLS) * states.shape[0] // CELLS
    columns = np.arange(CELLS) * states.shape[1] // CELLS
    failed: NDArray[np.bool_] = states[rows][:, columns] == FAIL
    return failed
