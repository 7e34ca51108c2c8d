"""Verdicts by month: the partitions to come are made ahead, those past their time are dropped whole.

Windows are many and their worth fades; inspections, alerts and what people said stay. PostgreSQL drops a month in no
time and leaves no holes; SQLite has one table, from which old rows are deleted in small transactions.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import delete, select, text

from services.records.heat import drop_heat
from services.records.session import Database, WriteSession, now
from services.records.tables import InspectionRow, VerdictRow

MONTHS_AHEAD = 2
_INSPECTIONS_AT_ONCE = 200
"""Of which rows are deleted in one transaction: SQLite's writers wait for it."""


def make_partitions(database: Database, months_ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month and the next ones; returns the names of those that are new.

    Verdicts that fell into the partition for surprises, because nobody kept house for months, move to their own.
    """
    made: list[str] = []
    if database.is_sqlite:
        return made
    with database.write(patient=True) as session:
        month = _month_of(now(session))
        present = set(_partitions(session))
        for _ in range(months_ahead + 1):
            if _name_of(month) not in present:
                _make(session, month)
                made.append(_name_of(month))
            month = _next(month)
    return made


def drop_verdicts(database: Database, before: datetime) -> int:
    """Drop the verdicts of every month that ended before a moment, and the heat maps beside them.

    Returns:
        How many partitions went (PostgreSQL), or of how many inspections the verdicts did (SQLite).
    """
    _drop_heat(database, _month_of(before))
    if database.is_sqlite:
        return sum(_delete_some(database, _month_of(before)))
    with database.write() as session:
        old = [name for name in _partitions(session) if name < _name_of(before)]
        for name in old:
            session.execute(text(f"DROP TABLE {name}"))
    return len(old)


def _drop_heat(database: Database, before: datetime) -> None:
    gone = _INSPECTIONS_AT_ONCE
    while gone == _INSPECTIONS_AT_ONCE:
        with database.write() as session:
            gone = drop_heat(session, before, _INSPECTIONS_AT_ONCE)


def _partitions(session: WriteSession) -> list[str]:
    """Names of the monthly partitions, the oldest first."""
    wanted = text(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = 'verdict'::regclass AND relname ~ '^verdict_[0-9]{4}_[0-9]{2}$' ORDER BY relname"
    )
    return list(session.scalars(wanted))


def _make(session: WriteSession, month: datetime) -> None:
    """A table of its own, filled, then attached: the parent is locked for a moment only."""
    name, limits = _name_of(month), {"first": month, "behind": _next(month)}
    session.execute(text(f"CREATE TABLE {name} (LIKE verdict INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    moved = "DELETE FROM verdict_rest WHERE recorded_at >= :first AND recorded_at < :behind RETURNING *"
    session.execute(text(f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved"), limits)  # noqa: S608
    session.execute(
        text(
            f"ALTER TABLE verdict ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{limits['first'].isoformat()}') TO ('{limits['behind'].isoformat()}')"
        )
    )


def _delete_some(database: Database, before: datetime) -> Iterator[int]:
    while True:
        with database.write() as session:
            old = session.scalars(
                select(VerdictRow.inspection_id)
                .join(InspectionRow, InspectionRow.id == VerdictRow.inspection_id)
                .where(InspectionRow.recorded_at < before)
                .distinct()
                .limit(_INSPECTIONS_AT_ONCE)
            ).all()
            session.execute(delete(VerdictRow).where(VerdictRow.inspection_id.in_(old)))
        yield len(old)
        if len(old) < _INSPECTIONS_AT_ONCE:
            return


def _month_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _name_of(moment: datetime) -> str:
    return f"verdict_{moment.astimezone(UTC):%Y_%m}"
