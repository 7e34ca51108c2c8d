"""Regions: windows of one label that touch or overlap, merged into one place with an area and a centre.

A scratch that crosses five windows is one finding, and where windows overlap its area counts once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.tiling import Level, Window
from models.domain.verdict import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Region:
    """Connected windows of one label on one level.

    Attributes:
        level: whose windows they are.
        label: None = unknown.
        windows: how many.
        area: share of the capture they cover, 0..1; overlaps count once.
        centre: (row, column) of the covered area's centre, as fractions of the capture's height and width. It may lie
            outside of a region that is not convex, such as a ring.
        box: (top, left, bottom, right) as fractions of the capture.
        confidence: of the most confident window.
    """

    level: Level
    label: str | None
    windows: int
    area: float
    centre: tuple[float, float]
    box: tuple[float, float, float, float]
    confidence: float


def merge(verdicts: Iterable[Verdict]) -> tuple[Region, ...]:
    """All regions of some verdicts, level by level, the largest first.

    Windows are connected if they overlap or share a part of an edge; a corner alone does not connect. A window with
    several labels belongs to a region of each. Windows that no tool looked at belong to none.

    Args:
        verdicts: of one capture, of any levels, in any order.
    """
    groups: dict[tuple[Level, str | None], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.reason is Reason.NOT_INSPECTED:
            continue
        for label in (verdict.label, *verdict.also):
            groups[verdict.window.level, label].append(verdict)
    found = [region for (level, label), group in groups.items() for region in _regions(level, label, group)]
    return tuple(sorted(found, key=lambda r: (r.level.index, -r.area, r.label or "", r.box)))


def _regions(level: Level, label: str | None, verdicts: list[Verdict]) -> Iterator[Region]:
    spans = np.array([_inside(verdict.window) for verdict in verdicts], np.int64)
    rows, columns = np.unique(spans[:, [0, 2]]), np.unique(spans[:, [1, 3]])
    covered = np.zeros((len(rows) - 1, len(columns) - 1), np.bool_)
    first = np.searchsorted(rows, spans[:, 0]), np.searchsorted(columns, spans[:, 1])
    last = np.searchsorted(rows, spans[:, 2]), np.searchsorted(columns, spans[:, 3])
    for top, left, bottom, right in zip(*first, *last, strict=True):
        covered[top:bottom, left:right] = True
    names = _components(covered)
    cell_row, cell_column = np.nonzero(covered)
    kinds, cell = np.unique(names[cell_row, cell_column], return_inverse=True)
    tall, wide = np.diff(rows)[cell_row], np.diff(columns)[cell_column]
    area = np.bincount(cell, tall * wide)
    middle_row = np.bincount(cell, tall * wide * (rows[cell_row] + tall / 2)) / area
    middle_column = np.bincount(cell, tall * wide * (columns[cell_column] + wide / 2)) / area
    own = np.searchsorted(kinds, names[first])
    low, high = np.full((len(kinds), 2), np.iinfo(np.int64).max), np.zeros((len(kinds), 2), np.int64)
    np.minimum.at(low, own, spans[:, :2])
    np.maximum.at(high, own, spans[:, 2:])
    confidence = np.zeros(len(kinds))
    np.maximum.at(confidence, own, [verdict.confidence for verdict in verdicts])
    count = np.bincount(own)
    size = np.array([level.height, level.width])
    for k in range(len(kinds)):
        top, left, bottom, right = (float(side) for side in (*(low[k] / size), *(high[k] / size)))
        yield Region(
            level=level,
            label=label,
            windows=int(count[k]),
            area=float(area[k]) / (level.height * level.width),
            centre=(float(middle_row[k]) / level.height, float(middle_column[k]) / level.width),
            box=(top, left, bottom, right),
            confidence=float(confidence[k]),
        )


def _inside(window: Window) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the part of a window that lies in its level."""
    level = window.level
    return (
        max(window.top, 0),
        max(window.left, 0),
        min(window.bottom, level.height),
        min(window.right, level.width),
    )


def _components(covered: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the connected component of each covered cell, from 0; -1 where nothing is covered.

    Runs of covered cells in a row are joined with the runs above that they touch (union-find over runs), so the cost
    follows the runs and not the cells.
    """
    names = np.full(covered.shape, -1, np.int64)
    parent: list[int] = []

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    for row, cells in enumerate(covered):
        edges = np.flatnonzero(np.diff(cells.astype(np.int8), prepend=0, append=0))
        for begin, end in edges.reshape(-1, 2):
            run = len(parent)
            parent.append(run)
            if row:
                above = names[row - 1, begin:end]
                for other in np.unique(above[above >= 0]).tolist():
                    parent[root(run)] = root(other)
            names[row, begin:end] = run
    if parent:
        roots = np.array([root(run) for run in range(len(parent))], np.int64)
        names[covered] = roots[names[covered]]
    return names
