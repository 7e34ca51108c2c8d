"""Words: numbers and verdicts said plainly."""

from datetime import timedelta

import pytest

from models.domain.verdict import Reason
from services.dashboard import words
from tests.services.making import NOON, verdict

KNOWN = {"likeliest": "Ring", "runner_up": "Donut", "runner_up_confidence": 0.09}


def test_a_confident_verdict_names_its_rival() -> None:
    said = words.why(verdict("Ring", confidence=0.9), **KNOWN, confidence_limit=0.6, novelty_limit=2.0)
    assert said == "The model is 90 % sure that this is Ring. The next likeliest is Donut with 9 %."


def test_a_stranger_is_said_to_be_one_and_how_far_beyond_the_limit() -> None:
    strange = verdict(None, reason=Reason.NOVEL, novelty=3.2)
    said = words.why(strange, **KNOWN, confidence_limit=0.6, novelty_limit=2.0)
    assert "1.60 times the limit" in said
    assert "nearest pattern it knows is Ring" in said
    assert "times the limit" not in words.why(strange, **KNOWN, confidence_limit=None, novelty_limit=None)


def test_between_two_classes_both_are_named() -> None:
    unsure = verdict(None, reason=Reason.UNSURE, confidence=0.47)
    said = words.why(unsure, **KNOWN, confidence_limit=0.6, novelty_limit=2.0)
    assert "between Ring or Donut" in said.replace(" and ", " or ")
    assert "47 %" in said
    assert "needs 60 %" in said


def test_what_nobody_looked_at_is_not_called_unknown() -> None:
    blank = verdict(None, reason=Reason.NOT_INSPECTED)
    assert words.kind(blank, "Normal") == "not inspected"
    assert words.name(blank) == "Not inspected"


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.004, "< 1 %"), (0.5, "50 %"), (0.996, "> 99 %"), (1, "100 %")]
)
def test_per_cent_is_never_rounded_to_certainty(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250 ms"), (1.44, "1.4 s"), (45, "45 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_durations_are_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert words.span(seconds) == text
    if seconds >= 10:
        assert words.ago(NOON, NOON + timedelta(seconds=seconds)) == f"{text} ago"


def test_just_now_also_if_clocks_differ() -> None:
    assert words.ago(NOON, NOON - timedelta(seconds=3)) == "just now"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1200, "1.2 kB"), (5_000_000_000, "5.0 GB")]
)
def test_sizes(count: int, text: str) -> None:
    assert words.size(count) == text


def test_counts_put_what_matters_first() -> None:
    assert words.counts({"Normal": 63, "Ring": 2, "unknown": 5}, "Normal") == "unknown 5, Ring 2, Normal 63"


def test_the_journal_is_told_in_plain_words() -> None:
    detail = {
        "until": "2026-03-01T13:00:00.936+01:00", "starts_at": None, "scopes": ["ingest", "viewer"], "note": "",
        "effect": {"refused": 0.0312345, "novel": 0.01}, "before": "1",
    }  # fmt: skip
    told = "until: 2026-03-01 12:00 UTC; scopes: ingest, viewer; effect: refused 0.03123, novel 0.01; before: 1"
    assert words.told(detail) == told


def test_strangers_are_not_called_by_the_reason_of_their_refusal() -> None:
    assert [words.pattern(one) for one in ("novel", "unsure", "Ring")] == [
        "unknown pattern", "between known classes", "Ring",
    ]  # fmt: skip
