"""Many wafers laid on top of each other: what they share stands out, what each has alone fades.

Three looks at the same wafers. *Hits*: in how many wafers a cell has anything; each counts once, so that one crowded
wafer does not outshine the others. *Density*: how many defects a cell has on average, where the crowd is what matters.
*Class*: which defect class is the most frequent in a cell, over the wafers whose files tell several apart.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.wafer_maps import FAIL
from services.api.drawing import Drawing, states_of

CELLS = 120
"""Cells across: 2.5 mm on 300 mm, about the size of what a process leaves behind twice at the same place."""
_CLASSES_TOLD = 8
"""More colours than that are not told apart; the rarer classes are 'other'."""
OTHER = "other"


class Look(StrEnum):
    """How a stack is drawn."""

    HITS = "hits"
    DENSITY = "density"
    CLASS = "class"


@dataclass(frozen=True, eq=False)
class Stack:
    """Some wafers as one map.

    Attributes:
        share: float64 (120, 120), row 0 at the top: share of the wafers with a defect (or a failed die) in the cell.
        density: float64 (120, 120), mean number of defects (or failed dies) in the cell.
        dominant: int64 (120, 120), index of the cell's most frequent defect class in `classes`; -1 = none told.
        classes: names of defect classes, the most frequent first.
        wafers: how many there are.
    """

    share: NDArray[np.float64]
    density: NDArray[np.float64]
    dominant: NDArray[np.int64]
    classes: tuple[str, ...]
    wafers: int

    @property
    def most(self) -> float:
        """The largest share."""
        return float(self.share.max(initial=0))

    @property
    def densest(self) -> float:
        """The largest mean number of defects in a cell."""
        return float(self.density.max(initial=0))


def stack(drawings: Iterable[Drawing]) -> Stack:
    """Lay wafers on top of each other; images are left out, because they show different places."""
    hits, counts = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    by_class: dict[str, NDArray[np.float64]] = {}
    wafers = 0
    for drawing in drawings:
        kind = drawing.geometry["kind"]
        if kind == "image":
            continue
        own = _defects(drawing) if kind == "points" else _failed(states_of(drawing.geometry))
        counts += own
        hits += own > 0
        if kind == "points":
            for code, places in _classes(drawing):
                by_class[code] = by_class.get(code, 0) + _binned(places)
        wafers += 1
    classes, dominant = _dominant(by_class)
    return Stack(hits / max(1, wafers), counts / max(1, wafers), dominant, classes, wafers)


def _defects(drawing: Drawing) -> NDArray[np.float64]:
    return _binned(drawing.places)


def _binned(places: NDArray[np.uint16]) -> NDArray[np.float64]:
    u, v = (places.astype(np.int64) * CELLS) >> 16
    counts = np.bincount(v * CELLS + u, minlength=CELLS * CELLS).astype(np.float64)
    return counts.reshape(CELLS, CELLS)


def _failed(states: NDArray[np.uint8]) -> NDArray[np.float64]:
    rows = np.arange(CELLS) * states.shape[0] // CELLS
    columns = np.arange(CELLS) * states.shape[1] // CELLS
    failed: NDArray[np.bool_] = states[rows][:, columns] == FAIL
    return failed.astype(np.float64)


def _classes(drawing: Drawing) -> Iterable[tuple[str, NDArray[np.uint16]]]:
    """The places of each defect class of a wafer; nothing where the file tells none apart."""
    for filter_, group in zip(drawing.geometry["filters"], drawing.groups, strict=True):
        if filter_["name"] == "Class":
            for k, value in enumerate(filter_["values"]):
                yield str(value["code"]), drawing.places[:, group == k]


def _dominant(by_class: dict[str, NDArray[np.float64]]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    nothing = np.full((CELLS, CELLS), -1, np.int64)
    if not by_class:
        return (), nothing
    total = Counter({code: float(counts.sum()) for code, counts in by_class.items()})
    told = [code for code, _ in total.most_common(_CLASSES_TOLD)]
    rest = [counts for code, counts in by_class.items() if code not in told]
    layers = [by_class[code] for code in told] + ([sum(rest[1:], rest[0])] if rest else [])
    stacked = np.stack(layers)
    return (*told, *([OTHER] if rest else [])), np.where(stacked.any(0), stacked.argmax(0), nothing)
