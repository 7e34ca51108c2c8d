"""Commonality: what do the affected wafers share beyond chance? Fisher's exact test with control of false discoveries.

Wafers of one lot were processed together and are not independent of each other. So what is a property of a whole lot
(product, step, tool, chamber) is counted in lots: twenty-five affected wafers of one lot say once, not twenty-five
times, that the tool is to blame. Slot and lot themselves are counted in wafers.

Sources: R. A. Fisher, The Design of Experiments, 1935 (exact test of a 2 × 2 table, one-sided); Y. Benjamini and
Y. Hochberg, J. R. Statist. Soc. B 57(1), 1995 (false discovery rate over all values of all factors).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

BY_WAFER = frozenset({"lot", "slot"})
"""Factors that differ, or are the question, within a lot."""
LOT = "lot"
FEWEST = 2
"""One affected unit shares everything with itself."""


@dataclass(frozen=True, slots=True)
class Wafer:
    """A wafer of the window that is looked at.

    Attributes:
        affected: whether it shows the trouble.
        factors: value of each factor that is known of it, such as tool and slot.
    """

    affected: bool
    factors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Commonality:
    """A value that affected units have more often than chance would have it.

    Attributes:
        factor: what is shared.
        value: which one.
        unit: what was counted: 'lot' or 'wafer'.
        affected_with: affected units that have it.
        affected: affected units.
        others_with: unaffected units that have it.
        others: unaffected units.
        p: chance of at least so many by luck (Fisher, one-sided).
        q: share of false ones to be expected among all that are this sure (Benjamini and Hochberg).
    """

    factor: str
    value: str
    unit: str
    affected_with: int
    affected: int
    others_with: int
    others: int
    p: float
    q: float


def commonalities(wafers: Sequence[Wafer], *, level: float = 0.05) -> tuple[Commonality, ...]:
    """What affected wafers share, the surest first.

    Args:
        wafers: affected and unaffected ones of the same window of time.
        level: false discovery rate that is accepted.
    """
    found = list(_tests(wafers))
    adjusted = adjust(np.array([one.p for one in found]))
    sure = [replace(one, q=float(q)) for one, q in zip(found, adjusted, strict=True) if q <= level]
    return tuple(sorted(sure, key=lambda one: (one.p, one.factor, one.value)))


def adjust(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini-Hochberg adjusted p-values, float (N,), in the order given."""
    order = np.argsort(p)
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return adjusted


def _tests(wafers: Sequence[Wafer]) -> Iterator[Commonality]:
    """A test for each value of each factor that more than one unit has and not all have; q is not known yet."""
    for factor in sorted({name for wafer in wafers for name in wafer.factors}):
        units = _units(wafers, factor)
        unit = "wafer" if factor in BY_WAFER else LOT
        values = np.array([value for value, _ in units])
        affected = np.array([is_affected for _, is_affected in units])
        total, bad = len(units), int(affected.sum())
        if bad < FEWEST or bad == total:
            continue
        for value in sorted(set(values)):
            has = values == value
            with_it, bad_with_it = int(has.sum()), int((has & affected).sum())
            if with_it < FEWEST or with_it == total:
                continue  # decided without a look at what is affected, or the rate of false discoveries would be wrong
            p = float(hypergeom.sf(bad_with_it - 1, total, bad, with_it))
            others_with = with_it - bad_with_it
            yield Commonality(factor, value, unit, bad_with_it, bad, others_with, total - bad, p, q=1.0)


def _units(wafers: Sequence[Wafer], factor: str) -> list[tuple[str, bool]]:
    """Value and affectedness of each unit; a lot that was split over several values is a unit for each."""
    known = [wafer for wafer in wafers if factor in wafer.factors]
    if factor in BY_WAFER:
        return [(wafer.factors[factor], wafer.affected) for wafer in known]
    units: defaultdict[tuple[str, str], bool] = defaultdict(bool)
    for number, wafer in enumerate(known):
        lot = wafer.factors.get(LOT) or f"wafer {number}"  # of no known lot: a unit of its own
        units[lot, wafer.factors[factor]] |= wafer.affected
    return [(value, affected) for (_, value), affected in units.items()]
