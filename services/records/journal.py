"""The journal: who did what, besides deciding about alerts (those have a history each). Only ever added to."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.records.access_tables import JournalRow
from services.records.chain import START, link
from services.records.quality import Span
from services.records.session import ReadSession, WriteSession, now
from services.telemetry.request_id import current_request_id

_LOCK = 0x6A6F75726E  # "journ": one writer at a time on PostgreSQL, as SQLite has anyway


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes:
        number: its place, from 0 without gaps.
        at: when, UTC.
        actor: who.
        deed: what, in a word or two.
        subject: to what.
        detail: what else matters, such as before and after.
        hash: over this and everything before it.
    """

    number: int
    at: datetime
    actor: str
    deed: str
    subject: str
    detail: Mapping[str, Any]
    hash: str


def write_down(session: WriteSession, *, actor: str, deed: str, subject: str, **detail: Any) -> None:
    """Add a line, in the transaction of the deed itself: both happen or neither.

    Args:
        session: that transaction; do this last in it, because it makes other writers of the journal wait.
        actor: who.
        deed: what, in a word or two: 'user added'.
        subject: to what.
        detail: what else matters, as JSON knows it, such as `before` and `after`; never a secret. The id of the request
            that is being served is added.
    """
    if (request := current_request_id()) is not None:
        detail["request"] = request
    if session.get_bind().dialect.name != "sqlite":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = session.scalars(select(JournalRow).order_by(JournalRow.number.desc()).limit(1)).first()
    row = JournalRow(
        number=0 if last is None else last.number + 1,
        at=now(session),
        actor=actor,
        deed=deed,
        subject=subject,
        detail=detail,
        previous_hash=START if last is None else last.hash,
    )
    row.hash = link(row.previous_hash, content_of(row))
    session.add(row)
    session.flush()


def journal(
    session: ReadSession, *, limit: int = 100, over: Span | None = None, deed: str | None = None
) -> tuple[Entry, ...]:
    """Lines, the newest first; of one stretch of time or of one kind of deed, if it is given."""
    wanted = select(JournalRow).limit(limit)
    if over is not None:  # in the order of the index it is looked up by; within a moment the numbers decide
        wanted = wanted.where(JournalRow.at >= over.since, JournalRow.at < over.until).order_by(JournalRow.at.desc())
    if deed is not None:
        wanted = wanted.where(JournalRow.deed == deed)
    wanted = wanted.order_by(JournalRow.number.desc())
    return tuple(
        Entry(row.number, row.at, row.actor, row.deed, row.subject, row.detail, row.hash)
        for row in session.scalars(wanted)
    )


def first_broken(session: Session) -> int | None:
    """Number of the first line that does not fit the one before or its own hash; None if the chain is whole."""
    previous = START
    wanted = select(JournalRow).order_by(JournalRow.number).execution_options(yield_per=1000)
    with closing(session.scalars(wanted)) as lines:
        for expected, row in enumerate(lines):
            if row.number != expected or row.previous_hash != previous or row.hash != link(previous, content_of(row)):
                return row.number
            previous = row.hash
    return None


def content_of(row: JournalRow) -> list[object]:
    """A line as it is hashed."""
    return [row.number, row.at.astimezone(UTC).isoformat(), row.actor, row.deed, row.subject, row.detail]
