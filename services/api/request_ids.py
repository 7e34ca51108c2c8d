"""Every request gets an id: a person quotes it from an error page, and the log and the journal have it.

Plain ASGI and outermost, so that whatever answers inside, the answer and the lines about it carry the same id. A
stream pays once, at its beginning.
"""

import logging
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.guards import SAFE_METHODS
from services.telemetry.request_id import chosen_id, serving

HEADER = "X-Request-ID"
_FLOODS = (401, 429)
"""What strangers can have answered as often as they like: counted, not written down."""
_log = logging.getLogger(__name__)


class RequestIds:
    """Names each request, says the name in its answer, and writes down what changed something or was refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request under its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        request_id = chosen_id(asked.get(HEADER), asked.get("traceparent"))
        mark = (HEADER.lower().encode(), request_id.encode())
        began, status = time.perf_counter(), 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), mark]}
            await send(message)

        with serving(request_id):
            await self.app(scope, receive, marked)
            if scope["method"] not in SAFE_METHODS or status >= 400:
                _write_down(scope, status, time.perf_counter() - began)


def _write_down(scope: Scope, status: int, took_s: float) -> None:
    principal = scope.get("state", {}).get("principal")
    level = logging.DEBUG if status in _FLOODS else logging.INFO
    name = "nobody" if principal is None else principal.name
    _log.log(level, "%s %s: %d for %s, %.0f ms", scope["method"], scope["path"], status, name, took_s * 1000)
