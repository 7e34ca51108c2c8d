"""Rules over several captures of a stream, as pure functions of the stream's history.

They keep no state of their own: a rule reads the newest captures of the stream in the transaction that adds one. So a
crash loses nothing (the retry reads the same), nothing fires twice (a capture counts once under a fingerprint), and
replaying recorded history is the same function over the same rows. Transactions of one stream evaluate one after the
other (`lock_stream`): two captures recorded at the same moment see each other, or the later one sees both.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.domain.alert import Alert
from models.spc import charts
from models.spc.usual import usual_share_of
from services.alerting.rule_kinds import (
    EACH_CLASS,
    FAILING,
    UNKNOWN,
    CusumChart,
    EwmaChart,
    RateRule,
    RepeatRule,
    ShareChart,
    StreamRule,
)
from services.alerting.rules import alert_of
from services.records.sightings import Sighting

_SETTLED = 4
"""A repeat is followed over so many of its windows: whether it ended is seen by then."""


def memory(rule: StreamRule) -> int:
    """How many captures before the newest one a rule looks at."""
    match rule:
        case RepeatRule():
            return _SETTLED * rule.m
        case RateRule():
            return rule.baseline + rule.reach
    raise TypeError(f"not a rule over streams: {type(rule).__name__}")


def judge_stream(rule: StreamRule, series: Sequence[Sighting], first: int = 0) -> Iterator[Alert]:
    """Alerts of the captures from number `first` on that show what the rule counts while its signal is on.

    Args:
        rule: a rule for this stream.
        series: captures of one stream, oldest first; those before `first` are history.
        first: number of the first capture to judge.
    """
    for trait in sorted(counts_in(rule, series[first:])):
        flags = np.array([trait in _traits(rule, one) for one in series], bool)
        for number in (np.flatnonzero(flags[first:]) + first).tolist():
            begin = max(0, number + 1 - memory(rule))
            title = _signal(rule, series[begin : number + 1], flags[begin : number + 1], trait)
            if title is not None:
                yield alert_of(rule, series[number], trait, title, by_product=rule.by_product)


def asks_windows(rule: StreamRule) -> bool:
    """Whether what it counts is shown by single windows, not by the capture's own verdict."""
    return rule.of not in (FAILING, UNKNOWN)


def counts_in(rule: StreamRule, series: Sequence[Sighting]) -> set[str]:
    """What captures show of that which the rule counts; where it is nothing, there is no alert of them."""
    return {trait for one in series for trait in _traits(rule, one)}


def _traits(rule: StreamRule, seen: Sighting) -> frozenset[str]:
    """What of that which the rule counts a capture shows."""
    if rule.of == FAILING:
        return frozenset({FAILING} if seen.is_failing else ())
    if rule.of == UNKNOWN:
        return frozenset({UNKNOWN} if seen.is_unknown else ())
    sure = {label for label, confidence in seen.shown.items() if confidence >= rule.min_confidence}
    return frozenset(sure if rule.of == EACH_CLASS else sure & set(rule.of))


def _signal(rule: StreamRule, series: Sequence[Sighting], flags: NDArray[np.bool_], trait: str) -> str | None:
    """The title of the alert if the signal is on at the last capture."""
    match rule:
        case RepeatRule():
            return _repeat(rule, flags, trait)
        case RateRule():
            return _rate(rule, series, flags, trait)
    raise TypeError(f"not a rule over streams: {type(rule).__name__}")


def _repeat(rule: RepeatRule, flags: NDArray[np.bool_], trait: str) -> str | None:
    sums = np.concatenate([np.zeros(rule.m, int), np.cumsum(flags)])
    among_last = (sums[rule.m :] - sums[: -rule.m]).astype(float)
    if not charts.latch(among_last, rule.n, rule.clear + 1)[-1]:
        return None
    return f"{trait}: {int(among_last[-1])} of the last {min(rule.m, len(flags))}"


def _rate(rule: RateRule, series: Sequence[Sighting], flags: NDArray[np.bool_], trait: str) -> str | None:
    judged = min(rule.reach, len(flags) - rule.min_baseline)
    if judged <= 0:
        return None
    usual = usual_share_of(flags[:-judged], rule.block)
    newest = flags[-judged:]
    if not _chart(rule, series[-judged:], newest, usual)[-1]:
        return None
    return f"Share of {trait} rose: {newest.mean():.1%} of the last {judged}, usually {usual:.1%}"


def _chart(rule: RateRule, series: Sequence[Sighting], flags: NDArray[np.bool_], usual: float) -> NDArray[np.bool_]:
    match rule.chart:
        case CusumChart(shift=shift, false_alarm_every=every):
            return charts.cusum(flags, usual, shift=shift, false_alarm_every=every)
        case EwmaChart(weight=weight, sigmas=sigmas):
            return charts.ewma(flags, usual, weight=weight, sigmas=sigmas)
        case ShareChart() as chart:
            times = np.array([one.at.timestamp() for one in series])
            intervals = (times // (60 * chart.interval_min)).astype(np.int64)
            return charts.shares(
                flags,
                intervals,
                usual,
                smallest=chart.smallest,
                false_alarm_every=chart.false_alarm_every,
                runs=chart.runs,
            )
