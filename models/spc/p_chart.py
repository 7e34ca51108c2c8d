"""The p-chart: is the share of failing captures still what it was? Pure arithmetic; drawing is elsewhere.

Shewhart's chart for fractions with a varying sample (D. C. Montgomery, Introduction to Statistical Quality Control, ch.
7), around the usual share. Small samples are drawn and not judged: with five wafers three sigma reaches from 0 to 1
anyway. Of the run rules only one is on, nine in a row on one side of the centre (Nelson, J. Quality Technology 16(4),
1984), because each further rule adds false alarms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.spc.usual import Sample, limits, usual_share

RUN = 9
SMALLEST = 8


@dataclass(frozen=True, slots=True)
class Point:
    """One interval on the chart.

    Attributes:
        share: failing captures, 0..1; None if there were none at all.
        low: lower limit for a sample of this size, 0..1.
        high: upper limit.
        is_judged: False for samples too small to say anything.
        is_beyond: outside of the limits.
        is_run: the ninth or later of a run on one side of the centre.
    """

    share: float | None
    low: float
    high: float
    is_judged: bool
    is_beyond: bool
    is_run: bool


@dataclass(frozen=True, slots=True)
class PChart:
    """The whole chart; `centre` is None if there is nothing to estimate it from."""

    centre: float | None
    points: tuple[Point, ...]

    @property
    def signals(self) -> int:
        """How many points ask for a look."""
        return sum(point.is_beyond or point.is_run for point in self.points)


def p_chart(samples: Sequence[Sample]) -> PChart:
    """Judge a series of samples, oldest first."""
    centre = usual_share([one for one in samples if one.captures >= SMALLEST])
    if centre is None:
        points = (Point(_share(one), 0.0, 1.0, False, False, False) for one in samples)
        return PChart(None, tuple(points))
    side, length = 0, 0
    points_: list[Point] = []
    for one in samples:
        share, judged = _share(one), one.captures >= SMALLEST
        low, high = limits(centre, one.captures)
        if judged and share is not None:
            now = (share > centre) - (share < centre)
            length = length + 1 if now == side and now else int(now != 0)
            side = now
        beyond = judged and share is not None and not low <= share <= high
        points_.append(Point(share, low, high, judged, beyond, judged and length >= RUN))
    return PChart(centre, tuple(points_))


def _share(one: Sample) -> float | None:
    return one.failing / one.captures if one.captures else None
