"""Control charts of a series with one capture after the other: CUSUM, EWMA, and shares per interval.

Each says of every capture whether the chart is signalling there. A signal that has begun goes on until the statistic is
well below its limit again (hysteresis), so that a chart on the edge does not chatter. Only a rising share signals: a
falling one needs nobody.

Sources: CUSUM of a Bernoulli series, M. R. Reynolds and Z. G. Stoumbos, J. Quality Technology 31(1), 1999; its bound on
false alarms, G. Lorden, Ann. Math. Statist. 42(6), 1971. EWMA, S. W. Roberts, Technometrics 1(3), 1959. Run rules,
Western Electric, Statistical Quality Control Handbook, 1956.
"""

import math
from collections.abc import Collection
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import binom

Flags = NDArray[np.bool_]
"""bool (N,): whether each capture shows it, oldest first."""
CLEAR = 0.5
"""A signal ends where the statistic has fallen below this share of its limit."""
_RARE = 0.9
"""No share is raised above this one by a shift that is sought."""


class RunRule(StrEnum):
    """Runs of intervals above the usual share; each further rule adds false alarms."""

    TWO_OF_THREE = "2 of 3 beyond 2 sigma"
    FOUR_OF_FIVE = "4 of 5 beyond 1 sigma"
    EIGHT_ABOVE = "8 in a row above"


_RUNS = {RunRule.TWO_OF_THREE: (2, 3, 2.0), RunRule.FOUR_OF_FIVE: (4, 5, 1.0), RunRule.EIGHT_ABOVE: (8, 8, 0.0)}
"""How many of how many, beyond how many sigma."""


def cusum(flags: Flags, usual: float, *, shift: float, false_alarm_every: float) -> Flags:
    """Where a cumulative sum signals: the fastest to see a share that rose for good.

    The sum of log likelihood ratios between the raised and the usual share, started again at 0; its limit is
    ln(false_alarm_every), which keeps the mean number of captures between false alarms at or above that number.

    Args:
        flags: the series.
        usual: usual share, between 0 and 1.
        shift: factor of the rise that shall be found soonest, above 1.
        false_alarm_every: captures between false alarms in the mean, at least.
    """
    raised = min(usual * shift, max(_RARE, (1 + usual) / 2))
    steps = np.where(flags, math.log(raised / usual), math.log((1 - raised) / (1 - usual)))
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    statistic = (sums - np.minimum.accumulate(sums))[1:]
    limit = math.log(false_alarm_every)
    return latch(statistic, limit, CLEAR * limit)


def ewma(flags: Flags, usual: float, *, weight: float, sigmas: float) -> Flags:
    """Where an exponentially weighted mean signals: smoother than single intervals, simpler to read than a CUSUM.

    Args:
        flags: the series.
        usual: usual share.
        weight: of the newest capture, 0..1; 0.05 remembers about forty.
        sigmas: distance of the limit from the usual share, in standard deviations of the mean. Rare events are
            skewed: at a usual share of 3 % and weight 0.05, three give a false alarm in 460 captures, five in 6,700
            (simulated).
    """
    mean, _ = lfilter([weight], [1, weight - 1], flags.astype(float), zi=[(1 - weight) * usual])
    age = np.arange(1, len(flags) + 1)
    variance = usual * (1 - usual) * weight / (2 - weight) * (1 - (1 - weight) ** (2 * age))
    distance = (mean - usual) / np.sqrt(variance)
    return latch(distance, sigmas, CLEAR * sigmas)


def shares(
    flags: Flags,
    intervals: NDArray[np.int64],
    usual: float,
    *,
    smallest: int,
    false_alarm_every: float,
    runs: Collection[RunRule] = (),
) -> Flags:
    """Where the share of an interval is beyond its limit, judged at each capture from the smallest sample on.

    The limit is exact (binomial): three sigma is a poor one for shares of a few per cent.

    Args:
        flags: the series.
        intervals: int64 (N,), the interval each capture lies in, rising.
        usual: usual share.
        smallest: captures an interval needs to be judged.
        false_alarm_every: intervals between false alarms, roughly: an interval is looked at more than once.
        runs: which run rules are on.
    """
    starts = np.flatnonzero(np.diff(intervals, prepend=intervals[:1] - 1))
    first = np.repeat(starts, np.diff([*starts, len(flags)]))
    sums = np.concatenate([[0], np.cumsum(flags)])
    found, captures = sums[1:] - sums[first], np.arange(1, len(flags) + 1) - first
    is_judged = captures >= smallest
    beyond = is_judged & (found > binom.isf(1 / false_alarm_every, captures, usual))
    sigma = (found / captures - usual) / np.sqrt(usual * (1 - usual) / captures)
    for rule in runs:
        beyond |= is_judged & _runs(sigma, is_judged, first, rule)
    calm = is_judged & (found <= usual * captures)
    return _latched(beyond, calm)


def latch(statistic: NDArray[np.float64], begin: float, end: float) -> Flags:
    """True from where the statistic reaches `begin` until it falls below `end`."""
    return _latched(statistic >= begin, statistic < end)


def _latched(begins: Flags, ends: Flags) -> Flags:
    """The last of the two that was seen decides."""
    place = np.arange(1, len(begins) + 1)
    began: NDArray[np.int64] = np.maximum.accumulate(np.where(begins, place, 0))
    ended: NDArray[np.int64] = np.maximum.accumulate(np.where(ends & ~begins, place, 0))
    return began > ended


def _runs(sigma: NDArray[np.float64], is_judged: Flags, first: NDArray[np.int64], rule: RunRule) -> Flags:
    """Per capture: its interval as it stands then, and the whole intervals before it that were large enough."""
    enough, of, beyond = _RUNS[rule]
    last = np.flatnonzero(np.diff(first, append=len(first)))  # last capture of each interval
    whole = last[is_judged[last]]
    earlier = np.concatenate([[0], np.cumsum(sigma[whole] > beyond)])
    before = np.searchsorted(whole, first)  # judged intervals that lie before this one
    count = (sigma > beyond) + earlier[before] - earlier[np.maximum(before - (of - 1), 0)]
    signals: Flags = (sigma > beyond) & (count >= enough)
    return signals
