"""A verdict laid out: bars show how close it was."""

import pytest

from models.domain.verdict import Reason
from services.api.bundle_shelf import Limits
from services.dashboard.reading import read_verdict, rows
from services.records.views import NumberedVerdict
from tests.services.making import verdict

LIMITS = Limits(confidence=0.6, novelty=2.0)


def test_bars_carry_the_limits_they_were_held_against() -> None:
    reading = read_verdict(
        verdict("Ring", confidence=0.9, novelty=1.0, runner_up="Donut", runner_up_confidence=0.07), "Normal", LIMITS
    )
    assert (reading.kind, reading.name) == ("defect", "Ring")
    ring, rival, strange = reading.bars
    assert (ring.share, ring.mark) == (0.9, 0.6)
    assert (rival.name, rival.share, rival.mark) == ("Donut (runner-up)", 0.07, None)
    assert (strange.share, strange.mark, strange.kind) == (pytest.approx(0.25), 0.5, "quiet")


def test_beyond_the_limit_is_beyond_the_mark() -> None:
    reading = read_verdict(verdict(None, reason=Reason.NOVEL, novelty=3.0), "Normal", LIMITS)
    assert reading.kind == "unknown"
    assert reading.bars[0].name == "Ring (nearest, not stated)"
    strange = reading.bars[-1]
    assert strange.mark is not None
    assert strange.share > strange.mark
    assert strange.kind == "unknown"


@pytest.mark.parametrize("limits", [None, Limits(0.6, float("inf"))])
def test_without_a_limit_nothing_is_compared(limits: Limits | None) -> None:
    reading = read_verdict(verdict("Ring"), "Normal", limits)
    assert reading.bars[-1].mark is None


def test_what_nobody_looked_at_has_no_bars() -> None:
    assert read_verdict(verdict(None, reason=Reason.NOT_INSPECTED), "Normal", LIMITS).bars == ()


def test_rows_keep_the_order_and_say_the_alternative() -> None:
    first = verdict(None, reason=Reason.NOVEL)
    second = verdict("Ring", runner_up="Donut", runner_up_confidence=0.3)
    listed = rows([NumberedVerdict(4, first), NumberedVerdict(1, second)], "Normal")
    assert [(row.n, row.kind, row.why) for row in listed] == [
        (4, "unknown", "novel; nearest Ring"),
        (1, "defect", "confident; else Donut 30 %"),
    ]
