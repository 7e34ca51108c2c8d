"""GET /live: tells open pages what changed, as server-sent events; they ask for the changed part themselves."""

import asyncio
import logging
from collections.abc import AsyncIterable

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from models.domain.errors import RetryableError
from services.api.pulse import Beat
from services.api.wiring import Wired

RECONNECT_MS = 2000
_log = logging.getLogger(__name__)
routes = APIRouter(include_in_schema=False)


@routes.get("/live", response_class=EventSourceResponse)
async def live(wired: Wired) -> AsyncIterable[ServerSentEvent]:
    """One event at once, then one for each change, at most one a second; the marks of topics are opaque."""
    wired.metrics.live_clients.inc()
    try:
        last = None
        while True:
            try:
                beat = await run_in_threadpool(wired.pulse.beat)
            except RetryableError as error:  # pages keep what they show; the next look may succeed
                _log.warning("live pages wait: %s", error)
            else:
                told = _told(beat)
                if told != last:
                    yield ServerSentEvent(data=told, event="change", retry=RECONNECT_MS)
                    last = told
            await asyncio.sleep(wired.pulse.every_s)
    finally:
        wired.metrics.live_clients.dec()


def _told(beat: Beat) -> dict[str, object]:
    return {
        "alerts": beat.alerts,
        "inspections": beat.inspections,
        "jobs": beat.jobs,
        "counts": {"/alerts": beat.open_alerts, "/quarantine": beat.set_aside},
    }
