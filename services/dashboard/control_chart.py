"""The p-chart: is the share of failing captures still what it was? Pure arithmetic; drawing is elsewhere.

Shewhart's chart for fractions with a varying sample (D. C. Montgomery, Introduction to Statistical Quality Control, ch.
7). The centre is estimated twice, the second time without the points beyond the first limits, so that an excursion does
not hide itself by widening the limits it is held against. Small samples are drawn and not judged: with five wafers
three sigma reaches from 0 to 1 anyway. Of the run rules only one is on, nine in a row on one side of the centre
(Nelson, J. Quality Technology 16(4), 1984), because each further rule adds false alarms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SIGMAS = 3.0
RUN = 9
SMALLEST = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """One interval: how many captures, how many of them failing."""

    captures: int
    failing: int


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
    centre = _centre([one for one in samples if one.captures >= SMALLEST])
    if centre is None:
        points = (Point(_share(one), 0.0, 1.0, False, False, False) for one in samples)
        return PChart(None, tuple(points))
    side, length = 0, 0
    points_: list[Point] = []
    for one in samples:
        share, judged = _share(one), one.captures >= SMALLEST
        low, high = _limits(centre, one.captures)
        if judged and share is not None:
            now = (share > centre) - (share < centre)
            length = length + 1 if now == side and now else int(now != 0)
            side = now
        beyond = judged and share is not None and not low <= share <= high
        points_.append(Point(share, low, high, judged, beyond, judged and length >= RUN))
    return PChart(centre, tuple(points_))


def _share(one: Sample) -> float | None:
    return one.failing / one.captures if one.captures else None


def _centre(samples: Sequence[Sample]) -> float | None:
    if not samples:
        return None
    first = _pooled(samples)
    calm = [one for one in samples if _is_within(one, first)]
    return _pooled(calm) if calm else first


def _is_within(one: Sample, centre: float) -> bool:
    low, high = _limits(centre, one.captures)
    return low <= one.failing / one.captures <= high


def _pooled(samples: Sequence[Sample]) -> float:
    return sum(one.failing for one in samples) / sum(one.captures for one in samples)


def _limits(centre: float, captures: int) -> tuple[float, float]:
    if not captures:
        return 0.0, 1.0
    reach = SIGMAS * math.sqrt(centre * (1 - centre) / captures)
    return max(0.0, centre - reach), min(1.0, centre + reach)
