"""A verdict laid out for a person: a headline, a sentence, and bars that show how close it was."""

from collections.abc import Iterable
from dataclasses import dataclass

from models.domain.verdict import Verdict
from services.api.bundle_shelf import Limits
from services.dashboard import words
from services.records.views import NumberedVerdict


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of 1 with an optional limit on it.

    Attributes:
        name: what it is.
        value: the number in words.
        share: how much of the bar is full, 0..1.
        kind: colour: 'defect', 'unknown', 'normal', 'quiet' or ''.
        mark: where the limit is, 0..1, or None.
        note: what the limit means.
    """

    name: str
    value: str
    share: float
    kind: str = ""
    mark: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page says of a verdict."""

    kind: str
    name: str
    why: str
    also: tuple[str, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A window in the table of windows."""

    n: int
    whole: bool
    level: int
    kind: str
    name: str
    confidence: float
    novelty: float
    why: str


def read_verdict(verdict: Verdict, normal: str | None, limits: Limits | None) -> Reading:
    """Lay out one verdict.

    Args:
        verdict: to be told.
        normal: the bundle's label for "nothing to act on".
        limits: it was held against, None if they are not known here.
    """
    kind = words.kind(verdict, normal)
    bars = [] if kind == "not inspected" else _bars(verdict, kind, limits)
    return Reading(kind, words.name(verdict), _why(verdict, limits), verdict.also, tuple(bars))


def _why(verdict: Verdict, limits: Limits | None) -> str:
    return words.why(
        verdict,
        likeliest=verdict.likeliest,
        runner_up=verdict.runner_up,
        runner_up_confidence=verdict.runner_up_confidence,
        confidence_limit=None if limits is None else limits.confidence,
        novelty_limit=None if limits is None else limits.novelty,
    )


def _bars(verdict: Verdict, kind: str, limits: Limits | None) -> list[Bar]:
    stated = verdict.label or verdict.likeliest or "likeliest class"
    bars = [
        Bar(
            name=f"{stated}" if verdict.label else f"{stated} (nearest, not stated)",
            value=words.percent(verdict.confidence),
            share=verdict.confidence,
            kind=kind,
            mark=None if limits is None else limits.confidence,
            note="" if limits is None else f"A label needs {words.percent(limits.confidence)}.",
        )
    ]
    if verdict.runner_up:
        share = verdict.runner_up_confidence
        bars.append(Bar(f"{verdict.runner_up} (runner-up)", words.percent(share), share, "quiet"))
    if limits is not None and 0 < limits.novelty < float("inf"):
        share = verdict.novelty / limits.novelty
        bars.append(
            Bar(
                name="Strangeness",
                value=f"{words.share_of(verdict.novelty, limits.novelty)} the limit",
                share=share / 2,
                kind="unknown" if share > 1 else "quiet",
                mark=0.5,
                note="Beyond the mark the model has seen nothing like it and states no label.",
            )
        )
    else:
        bars.append(Bar("Strangeness", f"{verdict.novelty:.3g}", 0, "quiet", None, "The limit is not known here."))
    return bars


def rows(verdicts: Iterable[NumberedVerdict], normal: str | None) -> list[Row]:
    """Lines of the table of windows, in the order given."""
    return [
        Row(
            n=one.n,
            whole=one.verdict.window.level.index == 0,
            level=one.verdict.window.level.index,
            kind=words.kind(one.verdict, normal),
            name=words.name(one.verdict),
            confidence=one.verdict.confidence,
            novelty=one.verdict.novelty,
            why=_short(one.verdict),
        )
        for one in verdicts
    ]


def _short(verdict: Verdict) -> str:
    if verdict.is_unknown and verdict.likeliest:
        return f"{verdict.reason.value}; nearest {verdict.likeliest}"
    if verdict.runner_up and verdict.runner_up_confidence >= 0.05:
        return f"{verdict.reason.value}; else {verdict.runner_up} {words.percent(verdict.runner_up_confidence)}"
    return verdict.reason.value
