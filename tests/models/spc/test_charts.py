"""Charts see a share that rose, keep quiet about one that did not as often as they promise, and do not chatter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spc.charts import RunRule, cusum, ewma, latch, shares
from models.spc.usual import Sample, usual_share, usual_share_of

RNG = np.random.default_rng(7)
USUAL = 0.03


def run_length(signals: np.ndarray) -> int:
    return int(np.argmax(signals)) + 1 if signals.any() else len(signals)


def series(share: float, length: int) -> np.ndarray:
    return RNG.random(length) < share


def test_cusum_keeps_its_promise_about_false_alarms() -> None:
    """At least what was asked for in the mean (Lorden's bound); runs that were cut only lower it."""
    lengths = [run_length(cusum(series(USUAL, 4000), USUAL, shift=3, false_alarm_every=500)) for _ in range(300)]
    assert np.mean(lengths) >= 500


@pytest.mark.parametrize(("shift", "within"), [(3, 230), (8, 50)])
def test_cusum_sees_a_rise_soon(shift: float, within: int) -> None:
    """Expected: the limit over the mean step, ln(5000) / 0.041 = 209 and ln(5000) / 0.215 = 40."""
    delays = [
        run_length(cusum(series(shift * USUAL, 2000), USUAL, shift=3, false_alarm_every=5000)) for _ in range(200)
    ]
    assert np.mean(delays) < within


def test_ewma_is_quiet_and_sees_a_rise() -> None:
    def mean(share: float) -> float:
        lengths = [run_length(ewma(series(share, 5000), USUAL, weight=0.05, sigmas=4.5)) for _ in range(200)]
        return float(np.mean(lengths))

    assert mean(USUAL) > 1000
    assert mean(5 * USUAL) < 60


def test_shares_per_interval_are_quiet_and_see_a_rise() -> None:
    intervals = np.repeat(np.arange(40), 50)
    quiet = [shares(series(USUAL, 2000), intervals, USUAL, smallest=20, false_alarm_every=1000) for _ in range(200)]
    false_intervals = sum(len(set(intervals[np.flatnonzero(one)])) for one in quiet)
    assert false_intervals / (200 * 40) < 5 / 1000, "looked at more than once, an interval signals a few times as often"
    risen = shares(series(0.3, 50), intervals[:50], USUAL, smallest=20, false_alarm_every=1000)
    assert risen.any()
    assert not risen[:19].any(), "nineteen captures are too few to judge"


def test_run_rules_add_signals_only_where_they_are_on() -> None:
    flags = np.tile([True, *[False] * 9], 80)  # 10 %, never beyond the limit of a usual 6 %
    intervals = np.repeat(np.arange(16), 50)
    options = {"usual": 0.06, "smallest": 20, "false_alarm_every": 1000.0}
    assert not shares(flags, intervals, **options).any()  # type: ignore[arg-type]
    for rule, first in [(RunRule.FOUR_OF_FIVE, 150), (RunRule.EIGHT_ABOVE, 350)]:
        found = shares(flags, intervals, runs=[rule], **options)  # type: ignore[arg-type]
        assert found.any()
        assert np.argmax(found) >= first


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60))
def test_a_latch_is_what_a_loop_would_do(values: list[float]) -> None:
    on, expected = False, []
    for value in values:
        on = value >= 6 or (on and value >= 3)
        expected.append(on)
    assert latch(np.array(values), 6, 3).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_what_is_signalled_does_not_depend_on_what_comes_later(seed: int, cut: int) -> None:
    flags = np.random.default_rng(seed).random(300) < 0.2
    intervals = np.arange(300) // 40
    for chart in (
        lambda f, i: cusum(f, 0.1, shift=2, false_alarm_every=50),
        lambda f, i: ewma(f, 0.1, weight=0.1, sigmas=3),
        lambda f, i: shares(f, i, 0.1, smallest=10, false_alarm_every=50, runs=list(RunRule)),
    ):
        whole = chart(flags, intervals)
        np.testing.assert_array_equal(chart(flags[:cut], intervals[:cut])[: cut // 2], whole[: cut // 2])


def test_the_usual_share_leaves_an_excursion_out() -> None:
    flags = np.concatenate([series(0.05, 400), series(0.9, 25)])
    assert usual_share_of(flags, 25) < 0.1
    assert 0 < usual_share_of(np.zeros(50, bool), 25) < 0.02
    assert usual_share([]) is None
    assert usual_share([Sample(100, 10), Sample(0, 0)]) == pytest.approx(0.1)
