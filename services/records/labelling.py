"""The queue of captures that people should label next, and what they make of those they did.

Least confident first (Lewis and Gale, SIGIR 1994): where the model hesitates, a person's word teaches it most.
"""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import aliased

from models.domain.label import Agreement
from services.records.reading import inspection_summary
from services.records.session import ReadSession
from services.records.tables import (
    WAITS_FOR_A_WORD,
    WAS_JUDGED,
    CaptureRow,
    InspectionRow,
    LabelRow,
    OpinionRow,
    SourceFileRow,
)
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
    wanted = _inspections().order_by(InspectionRow.confidence, InspectionRow.id)
    if which is Queue.UNCERTAIN:
        spoken = select(OpinionRow.capture_id).where(OpinionRow.capture_id == InspectionRow.capture_id)
        wanted = wanted.where(WAITS_FOR_A_WORD, ~spoken.exists())  # older processes did not mark what is labelled
    else:
        wanted = wanted.where(WAS_JUDGED, InspectionRow.capture_id.in_(_open_questions(which, reader)))
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
    """How many captures wait for a second word or a decision of this person; a thousand stand for as many and more."""
    return {
        which: len(session.scalars(_open_questions(which, reader)).all()) for which in (Queue.SECOND, Queue.DISPUTED)
    }


def _inspections() -> Select[InspectionRow, CaptureRow, SourceFileRow]:
    return (
        select(InspectionRow, CaptureRow, SourceFileRow)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .join(SourceFileRow, SourceFileRow.sha256 == CaptureRow.sha256)
    )


def _open_questions(which: Queue, reader: str) -> Select[str]:
    """Captures on which others spoke, this person did not, and which are not settled yet; the longest waiting first."""
    wanted = select(OpinionRow.capture_id).order_by(OpinionRow.first_id).limit(_MOST_QUESTIONS)
    if which is Queue.SECOND:  # one person spoke so far, or the two would agree
        return wanted.where(OpinionRow.agreement == Agreement.WAITING, OpinionRow.only_author != reader)
    spoken = select(LabelRow.id).where(LabelRow.capture_id == OpinionRow.capture_id, LabelRow.author == reader)
    return wanted.where(OpinionRow.agreement == Agreement.DISPUTED, ~spoken.exists())
