"""What people do about noise: silence a known trouble until a time, announce maintenance, end both early.

Every silence says who, why and until when; none is for everything or for ever.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from models.domain.alert import SilenceKind
from models.domain.errors import InputError
from services.records.alert_tables import SilenceRow
from services.records.journal import write_down
from services.records.session import WriteSession, now
from services.records.silences import NAMED, Silence, view
from services.records.upsert import insert_new

LONGEST = timedelta(days=30)
"""What needs to be quiet for longer is a rule to be changed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be quiet.

    Attributes:
        reason: why.
        until: when it ends.
        starts_at: when it begins; None = now.
        kind: known trouble, or expected trouble.
        every_days: maintenance that comes back after so many days; None = once.
        rule, pattern, product, step, tool: what it concerns; at least one, all of which must fit.
    """

    reason: str
    until: datetime
    starts_at: datetime | None = None
    kind: SilenceKind = SilenceKind.SILENCE
    every_days: int | None = None
    rule: str | None = None
    pattern: str | None = None
    product: str | None = None
    step: str | None = None
    tool: str | None = None


def add_silence(session: WriteSession, wish: Wish, *, author: str) -> Silence:
    """Write down a silence or a maintenance window.

    Raises:
        InputError: it names nothing, has no reason, or its times make no sense (`bad-silence`).
    """
    moment = now(session)
    _check(wish, moment)
    row = SilenceRow(
        kind=wish.kind,
        starts_at=wish.starts_at or moment,
        until=wish.until,
        every_days=wish.every_days,
        author=author,
        reason=wish.reason.strip(),
        created_at=moment,
        held_back=0,
        **{name: getattr(wish, name) or None for name in NAMED},
    )
    session.add(row)
    session.flush()
    made = view(row)
    said = {"reason": made.reason, "until": made.until.isoformat(), "starts_at": made.starts_at.isoformat()}
    write_down(session, actor=author, deed=f"{made.kind.value} added", subject=_subject(made), **said)
    return made


def end_silence(session: WriteSession, silence_id: int, *, by: str) -> Silence:
    """End a silence now, and do not let it come back.

    Raises:
        InputError: there is none (`no-such-silence`), or it is over (`silence-over`).
    """
    row = session.get(SilenceRow, silence_id, with_for_update=True)
    if row is None:
        raise InputError("no such silence", where=f"silence {silence_id}", code="no-such-silence")
    moment = now(session)
    if row.until <= moment:
        raise InputError(
            "silence is over already", where=f"silence {silence_id}", got=row.until.isoformat(), code="silence-over"
        )
    row.ended_by, row.ended_at, row.every_days = by, moment, None
    row.until, row.starts_at = moment, min(row.starts_at, moment)
    session.flush()
    ended = view(row)
    write_down(session, actor=by, deed=f"{ended.kind.value} ended", subject=_subject(ended))
    return ended


def renew_maintenance(session: WriteSession) -> int:
    """Write the next window of maintenance that comes back, once each; returns how many."""
    moment = now(session)
    later = aliased(SilenceRow)
    ended = select(SilenceRow).where(
        SilenceRow.every_days.is_not(None),
        SilenceRow.until <= moment,
        ~select(later.id).where(later.follows == SilenceRow.id).exists(),
    )
    made = 0
    for row in session.scalars(ended.order_by(SilenceRow.id)):
        assert row.every_days is not None
        pause = timedelta(days=row.every_days)
        missed = max(1, -((row.until - moment) // pause))  # the service may have been off for several of them
        made += insert_new(
            session,
            SilenceRow,
            SilenceRow.follows,
            kind=row.kind,
            starts_at=row.starts_at + missed * pause,
            until=row.until + missed * pause,
            every_days=row.every_days,
            follows=row.id,
            author=row.author,
            reason=row.reason,
            created_at=moment,
            held_back=0,
            **{name: getattr(row, name) for name in NAMED},
        )
    return made


def hold_back(session: WriteSession, silence: Silence) -> None:
    """Count a finding that opened no alert because of maintenance."""
    session.execute(update(SilenceRow).where(SilenceRow.id == silence.id).values(held_back=SilenceRow.held_back + 1))


def _subject(silence: Silence) -> str:
    named = ", ".join(f"{name} {value}" for name, value in silence.names)
    return f"silence {silence.id}: {named}"


def _check(wish: Wish, moment: datetime) -> None:
    begin = wish.starts_at or moment
    problem = ""
    if not wish.reason.strip():
        problem = "a reason"
    elif not any(getattr(wish, name) for name in NAMED):
        problem = f"at least one of {', '.join(NAMED)}: nothing may be silenced as a whole"
    elif not max(begin, moment) < wish.until:
        problem = "an end that lies ahead, behind the beginning"
    elif wish.until - begin > LONGEST:
        problem = f"at most {LONGEST.days} days; for longer, change the rule"
    elif wish.every_days is not None and (
        wish.kind is not SilenceKind.MAINTENANCE or timedelta(days=wish.every_days) <= wish.until - begin
    ):
        problem = "maintenance that is over before it comes back"
    if problem:
        raise InputError("silence is not complete", where="silence", expected=problem, code="bad-silence")
