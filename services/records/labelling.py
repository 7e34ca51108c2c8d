"""The queue of captures that people should label next, and what they make of those they did.

Least confident first (Lewis and Gale, SIGIR 1994): where the model hesitates, a person's word teaches it most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import aliased

from models.domain.label import PEOPLE, Agreement, Opinion, Word, opinion
from services.records.reading import inspection_summary
from services.records.session import ReadSession
from services.records.tables import WAS_JUDGED, CaptureRow, InspectionRow, LabelRow, SourceFileRow
from services.records.views import InspectionSummary

_MOST_QUESTIONS = 1000


class Queue(StrEnum):
    """What a capture waits for."""

    UNCERTAIN = "uncertain"
    """Nobody said anything, and the model is not sure."""
    SECOND = "second"
    """Others agree so far, but too few of them; who asks is not among them."""
    DISPUTED = "disputed"
    """Others say different things; who asks is not among them."""


@dataclass(frozen=True, slots=True)
class LabelledCapture:
    """A capture and what people make of it.

    Attributes:
        capture_id: which capture.
        sha256: its file in the spool.
        capture_name: what people call it.
        lot: for splitting; lots must not be torn apart.
        opinion: what they say.
        words: each of their words, oldest first.
    """

    capture_id: str
    sha256: str
    capture_name: str
    lot: str | None
    opinion: Opinion
    words: tuple[Word, ...]


def queue(
    session: ReadSession, which: Queue, *, reader: str, limit: int = 50, after: str | None = None
) -> tuple[InspectionSummary, ...]:
    """The inspections whose captures wait for a word of this person, the most useful first.

    Args:
        session: reads.
        which: what they wait for.
        reader: who asks; what this person has labelled does not come again.
        limit: how many.
        after: id of an inspection: only those behind it (one that was skipped).
    """
    wanted = _inspections().where(WAS_JUDGED).order_by(InspectionRow.confidence, InspectionRow.id)
    if which is Queue.UNCERTAIN:
        wanted = wanted.where(~_said().exists())
    else:
        wanted = wanted.where(InspectionRow.capture_id.in_(_open_questions(session, which, reader)))
    if after is not None:
        skipped = aliased(InspectionRow)
        behind = select(skipped.confidence, skipped.id).where(skipped.id == after).subquery()
        wanted = wanted.where(
            tuple_(InspectionRow.confidence, InspectionRow.id)
            > tuple_(select(behind.c.confidence).scalar_subquery(), select(behind.c.id).scalar_subquery())
        )
    found: dict[str, InspectionSummary] = {}
    for row, of, source in session.execute(wanted.limit(2 * limit)).tuples():
        found.setdefault(of.id, inspection_summary(row, of, source))  # judged by several bundles, labelled once
    return tuple(found.values())[:limit]


def lengths(session: ReadSession, reader: str) -> Mapping[Queue, int]:
    """How many captures wait for a second word or a decision of this person."""
    return {which: len(_open_questions(session, which, reader)) for which in (Queue.SECOND, Queue.DISPUTED)}


def labelled(session: ReadSession, needed: int = PEOPLE, capture_id: str | None = None) -> tuple[LabelledCapture, ...]:
    """Every capture people said something about (or one of them), by name, with what they make of it."""
    wanted = (
        select(LabelRow, CaptureRow)
        .join(CaptureRow, CaptureRow.id == LabelRow.capture_id)
        .order_by(CaptureRow.name, CaptureRow.id, LabelRow.id)
    )
    if capture_id is not None:
        wanted = wanted.where(LabelRow.capture_id == capture_id)
    words: dict[str, list[Word]] = {}
    captures: dict[str, CaptureRow] = {}
    for row, of in session.execute(wanted).tuples():
        captures[of.id] = of
        words.setdefault(of.id, []).append(Word(row.name, row.author))
    return tuple(_labelled(captures[one], said, needed) for one, said in words.items())


def _labelled(of: CaptureRow, words: Sequence[Word], needed: int) -> LabelledCapture:
    found = opinion(words, needed)
    assert found is not None
    return LabelledCapture(of.id, of.sha256, of.name, of.lot, found, tuple(words))


def _inspections() -> Select[InspectionRow, CaptureRow, SourceFileRow]:
    return (
        select(InspectionRow, CaptureRow, SourceFileRow)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .join(SourceFileRow, SourceFileRow.sha256 == CaptureRow.sha256)
    )


def _said() -> Select[int]:
    return select(LabelRow.id).where(LabelRow.capture_id == InspectionRow.capture_id)


def _open_questions(session: ReadSession, which: Queue, reader: str) -> list[str]:
    """Captures on which others spoke, this person did not, and which are not settled yet; the longest waiting first."""
    last = select(func.max(LabelRow.id)).group_by(LabelRow.capture_id, LabelRow.author)
    mine = aliased(LabelRow)
    spoken = select(mine.id).where(mine.capture_id == LabelRow.capture_id, mine.author == reader)
    names = func.count(LabelRow.name.distinct())
    candidates = session.scalars(
        select(LabelRow.capture_id)
        .where(LabelRow.id.in_(last), ~spoken.exists())
        .group_by(LabelRow.capture_id)
        .having((names == 1) & (func.count() < PEOPLE) if which is Queue.SECOND else names > 1)
        .order_by(func.min(LabelRow.id))
        .limit(_MOST_QUESTIONS)
    ).all()
    if which is Queue.SECOND:
        return list(candidates)
    words: dict[str, list[Word]] = {}
    wanted = select(LabelRow).where(LabelRow.capture_id.in_(candidates)).order_by(LabelRow.id)
    for row in session.scalars(wanted):
        words.setdefault(row.capture_id, []).append(Word(row.name, row.author))
    return [one for one in candidates if _is_disputed(words[one])]


def _is_disputed(words: Sequence[Word]) -> bool:
    found = opinion(words)
    return found is not None and found.agreement is Agreement.DISPUTED
