"""The usual share: what a stream did while nothing was wrong, estimated so that an excursion does not hide itself.

It is estimated twice, the second time without the samples beyond the first limits (D. C. Montgomery, Introduction to
Statistical Quality Control, ch. 7: trial limits). Shares of rare events are shrunk a little (Jeffreys' prior): none in
fifty wafers is not never.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Some captures that belong together: how many, how many of them failing."""

    captures: int
    failing: int


def usual_share(samples: Sequence[Sample]) -> float | None:
    """Share of failing captures, 0..1, without the samples beyond the limits; None if there are no captures."""
    full = [one for one in samples if one.captures]
    if not full:
        return None
    first = _pooled(full)
    calm = [one for one in full if _is_within(one, first)]
    return _pooled(calm) if calm else first


def usual_share_of(flags: NDArray[np.bool_], block: int) -> float:
    """The same of a series, cut into blocks; never 0 or 1.

    Args:
        flags: bool (N,), N > 0, True where the capture shows it; oldest first.
        block: captures of a block.
    """
    blocks = np.array_split(flags, max(1, len(flags) // block))
    samples = [Sample(len(one), int(one.sum())) for one in blocks]
    first = _pooled(samples)
    calm = [one for one in samples if _is_within(one, first)] or samples
    return (sum(one.failing for one in calm) + 0.5) / (sum(one.captures for one in calm) + 1)


def limits(centre: float, captures: int) -> tuple[float, float]:
    """Shewhart's three-sigma limits of a share in a sample of this size, 0..1."""
    if not captures:
        return 0.0, 1.0
    reach = SIGMAS * math.sqrt(centre * (1 - centre) / captures)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _is_within(one: Sample, centre: float) -> bool:
    low, high = limits(centre, one.captures)
    return low <= one.failing / one.captures <= high


def _pooled(samples: Sequence[Sample]) -> float:
    return sum(one.failing for one in samples) / sum(one.captures for one in samples)
