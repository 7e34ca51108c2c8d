"""Charts: bars add up, ticks are round, what is beyond is marked."""

from datetime import timedelta

import pytest

from models.spc.p_chart import p_chart
from models.spc.usual import Sample
from services.dashboard import charts
from services.records.quality import Interval, Share
from tests.services.making import NOON

HOUR = timedelta(hours=1)


def test_pareto_counts_what_fails_and_cumulates_to_all() -> None:
    rows = charts.pareto([Share("Normal", 90, True), Share("Ring", 6, False), Share("unknown", 2, False)])
    assert [(row.label, row.share_of_longest) for row in rows] == [("Ring", 1.0), ("unknown", pytest.approx(1 / 3))]
    assert [row.cumulated for row in rows] == [0.75, 1.0]
    assert charts.pareto([Share("Normal", 90, True)]) == ()


def test_stacked_bars_stand_on_the_axis_and_on_each_other() -> None:
    drawn = charts.trend([Interval(NOON, 10, 3, 1), Interval(NOON + HOUR, 0, 0, 0)], HOUR)
    bottom = charts.HEIGHT - charts.BOTTOM
    normal, defect, unknown = drawn.bars
    assert normal.y + normal.height == pytest.approx(bottom)
    assert defect.y + defect.height == pytest.approx(normal.y)
    assert unknown.y + unknown.height == pytest.approx(defect.y)
    assert unknown.y == pytest.approx(charts.TOP), "ten captures fill an axis up to ten"
    assert drawn.y_ticks[-1].text == "10"


def test_the_control_chart_marks_what_is_beyond() -> None:
    found = [*[Interval(NOON + k * HOUR, 50, 5, 0) for k in range(10)], Interval(NOON + 10 * HOUR, 50, 30, 10)]
    chart = p_chart([Sample(one.captures, one.failing) for one in found])
    drawn = charts.control(found, chart, HOUR)
    assert [dot.kind for dot in drawn.dots] == ["calm"] * 10 + ["beyond"]
    assert "80 %" in drawn.dots[-1].tip
    assert drawn.dots[-1].y < drawn.dots[0].y, "more is higher"
    assert all(charts.TOP - 0.01 <= dot.y <= charts.HEIGHT for dot in drawn.dots)


def test_nothing_draws_an_empty_chart() -> None:
    assert charts.trend([], HOUR).bars == ()
    assert charts.control([], p_chart([]), HOUR).dots == ()


@pytest.mark.parametrize(("value", "ceiling"), [(0, 1), (1, 1), (3, 4), (10, 10), (41, 50), (101, 200), (999, 1000)])
def test_ceilings_are_round(value: float, ceiling: float) -> None:
    assert charts.nice_ceiling(value) == ceiling
