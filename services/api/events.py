"""GET /events: what happens, while it happens, as server-sent events for programs.

Every event is told at least once: a listener that comes back names the last one it saw (Last-Event-ID, as browsers and
SSE libraries do by themselves), and hears again what happened about then, too; ids tell what it knows already.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, Collection
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from models.domain.errors import InputError, RetryableError
from services.api.schemas import PREFIX
from services.api.wiring import Wired, Wiring
from services.records.happenings import LATE, Happening, happened
from services.records.session import now
from services.records.views import in_utc

LOOK_EVERY_S = 1.0
RECONNECT_MS = 2000
_AT_ONCE = 500
_log = logging.getLogger(__name__)
routes = APIRouter(prefix=PREFIX, tags=["events"])


def _since(
    wired: Wired,
    last_event_id: Annotated[str | None, Header(max_length=200, description="Go on behind this event.")] = None,
) -> datetime:
    if last_event_id is None:
        with wired.database.read() as session:
            return now(session)
    try:
        return in_utc(datetime.fromisoformat(last_event_id.partition(" ")[0])) - LATE
    except (ValueError, OverflowError) as error:
        raise InputError(
            "bad Last-Event-ID", expected="the id of an event of this stream", got=last_event_id[:80]
        ) from error


@routes.get("/events", response_class=EventSourceResponse)
async def stream(
    wired: Wired,
    begin: Annotated[datetime, Depends(_since)],
    kind: Annotated[str | None, Query(pattern="^(alert|inspection)$", description="Only these events.")] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Alerts opened and changed, inspections recorded: `event` is the kind, `data` is JSON, `id` is for Last-Event-ID.

    Without Last-Event-ID it begins with what happens from now on. A comment comes every 15 seconds when nothing does.
    """
    since, told = begin, dict[str, datetime]()
    wired.metrics.live_clients.inc()
    try:
        while True:
            fresh = await run_in_threadpool(_look, wired, since, told)
            for one in fresh:
                told[one.id] = one.at
                if kind in (None, one.kind):
                    yield ServerSentEvent(
                        data=one.data | {"at": one.at.isoformat()}, event=one.kind, id=f"{one.at.isoformat()} {one.id}",
                        retry=RECONNECT_MS,
                    )  # fmt: skip
            if fresh:
                since = max(since, fresh[-1].at - LATE)
                told = {name: at for name, at in told.items() if at >= since}
            if len(fresh) < _AT_ONCE:
                await asyncio.sleep(LOOK_EVERY_S)
    finally:
        wired.metrics.live_clients.dec()


def _look(wired: Wiring, since: datetime, told: Collection[str]) -> list[Happening]:
    """What was not told yet, the oldest first; nothing while the database is away."""
    try:
        with wired.database.read() as session:
            found = happened(session, since, limit=_AT_ONCE + len(told))
    except RetryableError as error:
        _log.warning("listeners wait: %s", error)
        return []
    return [one for one in found if one.id not in told][:_AT_ONCE]
