"""From verdicts of a densely judged level to a heat map for each class.

A verdict names the two likeliest labels with their probabilities; what a third one has is at most a third, and is shown
as nothing. So heat needs nothing but verdicts: a try that goes on behind what an earlier one put aside has the same.
"""

from collections.abc import Sequence

import numpy as np

from models.domain.heat import FULL, HeatMap
from models.domain.verdict import Labels, Reason, Verdict

MOST_CELLS = 512
"""Cells of a map along a side at most: a frame of 20,000 pixels with a window every 16 has 1,245 places there. They are
reduced by three, to cells of 48 pixels, half a tile; the greatest probability stays, so no peak is lost."""


def heat_maps(verdicts: Sequence[Verdict], labels: Labels, step: int) -> tuple[HeatMap, ...]:
    """A map for each class but the normal one, in the order of the labels, and last one of what was refused a label.

    Classes that are nowhere have a map as well, so that a class has the same number on every frame.

    Args:
        verdicts: of windows of one level and one size, at least one, in any order.
        labels: of the bundle.
        step: pixels between neighbouring windows.
    """
    level, tile = verdicts[0].window.level, verdicts[0].window.height
    tops, lefts = (np.array([getattr(one.window, side) for one in verdicts]) for side in ("top", "left"))
    cell = step * -(-(max(tops.max(), lefts.max()) // step + 1) // MOST_CELLS)
    rows, columns = tops // cell, lefts // cell
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    names = [*(name for name in labels.names if name != labels.normal), None]
    number = {name: k for k, name in enumerate(names)}
    values = np.zeros((len(names), *shape), np.uint8)
    for row, column, verdict in zip(rows.tolist(), columns.tolist(), verdicts, strict=True):
        for name, probability in _said(verdict):
            if name in number:
                place = number[name], row, column
                values[place] = max(int(values[place]), round(FULL * probability))
    edge = (tile - step) / 2  # a cell is what lies nearest to the middles of its windows
    box = (
        edge / level.height,
        edge / level.width,
        (edge + shape[0] * cell) / level.height,
        (edge + shape[1] * cell) / level.width,
    )
    return tuple(HeatMap(level, name, box, values[k]) for k, name in enumerate(names))


def _said(verdict: Verdict) -> list[tuple[str | None, float]]:
    """What is said of a window: its two likeliest labels, and whether it was refused one."""
    if verdict.reason is Reason.NOT_INSPECTED:
        return []
    said: list[tuple[str | None, float]] = [(verdict.likeliest or "", verdict.confidence)]
    if verdict.runner_up is not None:
        said.append((verdict.runner_up, verdict.runner_up_confidence))
    return [*said, (None, 1.0)] if verdict.is_unknown else said
