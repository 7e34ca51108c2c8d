"""The p-chart signals what changed and keeps quiet about what did not."""

import numpy as np
import pytest

from models.spc.p_chart import RUN, SMALLEST, p_chart
from models.spc.usual import Sample


def test_limits_are_those_of_the_textbook() -> None:
    chart = p_chart([Sample(100, 20)] * 10)
    assert chart.centre == pytest.approx(0.2)
    assert (chart.points[0].low, chart.points[0].high) == (pytest.approx(0.08), pytest.approx(0.32))
    assert chart.signals == 0


def test_an_excursion_does_not_hide_itself() -> None:
    chart = p_chart([*[Sample(50, 5)] * 10, Sample(50, 40)])
    assert chart.centre == pytest.approx(0.1)
    assert [point.is_beyond for point in chart.points] == [False] * 10 + [True]


def test_nine_on_one_side_are_a_shift() -> None:
    chart = p_chart([*[Sample(400, 40)] * 30, *[Sample(400, 52)] * RUN])
    assert [point.is_run for point in chart.points[-2:]] == [False, True]


def test_small_samples_are_shown_and_not_judged() -> None:
    chart = p_chart([*[Sample(100, 10)] * 5, Sample(SMALLEST - 1, SMALLEST - 1), Sample(0, 0)])
    assert [point.is_judged for point in chart.points[-2:]] == [False, False]
    assert chart.points[-2].share == 1.0
    assert chart.points[-1].share is None
    assert chart.signals == 0


def test_nothing_to_estimate_from() -> None:
    assert p_chart([]).centre is None
    assert p_chart([Sample(3, 1)]).centre is None
    assert p_chart([Sample(50, 50)]).signals == 0


def test_false_alarms_are_rare() -> None:
    rng = np.random.default_rng(5)
    signals = sum(p_chart([Sample(60, int(k)) for k in rng.binomial(60, 0.15, 48)]).signals for _ in range(100))
    assert signals / 4800 < 0.02
