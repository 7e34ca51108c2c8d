"""The routing in force and all before it: rows that are only added, so that who changed what is never lost."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.domain.errors import InputError
from services.records.route_tables import RoutingRow
from services.records.session import Database, WriteSession, now
from services.records.upsert import insert_new
from services.routing.routing import Routing, Source
from services.settings import Settings


@dataclass(frozen=True, slots=True)
class RoutingChange:
    """A routing, as somebody put it into force.

    Attributes:
        number: from 1; the highest is in force.
        at: when.
        actor: who; 'waferwatch' took something back by itself.
        note: why.
        routing: what holds from then on.
    """

    number: int
    at: datetime
    actor: str
    note: str
    routing: Routing


def apply(session: WriteSession, routing: Routing, *, actor: str, note: str, after: int | None = None) -> int:
    """Put a routing into force; workers use it from their next job on. Returns its number.

    Args:
        session: the transaction.
        routing: what shall hold.
        actor: who says so.
        note: why.
        after: number of the routing it was made from; None = whichever is in force.

    Raises:
        InputError: somebody else changed it meanwhile.
    """
    number = ((_newest(session) or 0) if after is None else after) + 1
    is_new = insert_new(
        session,
        RoutingRow,
        RoutingRow.number,
        number=number,
        at=now(session),
        actor=actor,
        note=note,
        content=routing.model_dump(mode="json", exclude_defaults=True),
    )
    if not is_new:
        raise InputError(
            "routing was changed meanwhile", where=f"version {number}", remedy="look at it again", code="routing-stale"
        )
    return number


def in_force(session: Session) -> RoutingChange | None:
    """The newest change; None if nobody ever applied a routing."""
    found = history(session, limit=1)
    return found[0] if found else None


def history(session: Session, *, limit: int = 50, before: int | None = None) -> tuple[RoutingChange, ...]:
    """The changes, the newest first; those before a number, if it is given."""
    wanted = select(RoutingRow).order_by(RoutingRow.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(RoutingRow.number < before)
    rows = session.scalars(wanted)
    return tuple(
        RoutingChange(row.number, row.at, row.actor, row.note, Routing.parse(row.content, f"routing {row.number}"))
        for row in rows
    )


def plain_routing(settings: Settings) -> Routing:
    """What holds until somebody applies a routing: everything along the installation's own route."""
    folder = Path(settings.bundle)
    source = Source(folder=folder.absolute()) if folder.is_dir() else Source(alias=settings.bundle)
    return Routing.plain(settings.route, source)


class CurrentRouting:
    """The routing in force, read again only when its number grew; for one thread.

    Attributes:
        route: jobs along this route are sent by rule; others name their bundle or route themselves.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        """Nothing is read yet."""
        self.route = settings.route
        self._database = database
        self._number: int | None = None
        self._routing = plain_routing(settings)

    def __call__(self) -> Routing:
        """What is in force now.

        Raises:
            RetryableError: the database is away.
        """
        with self._database.read() as session:
            number = _newest(session)
            if number != self._number and (change := in_force(session)) is not None:
                self._routing, self._number = change.routing, change.number
        return self._routing


def _newest(session: Session) -> int | None:
    return session.scalar(select(RoutingRow.number).order_by(RoutingRow.number.desc()).limit(1))
