"""Counts answers by route, method and status; routes are templates, so that ids do not become time series."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.telemetry.metrics import Metrics

STREAMS = ("/live", "/api/v1/events")


class CountedRequests:
    """Observes each answer of the app inside it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through and note what became of it, also when it fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watching)
        finally:
            route, method = _template(scope), _known(scope["method"])
            self.metrics.requests.labels(method, route, str(status)).inc()
            if route not in STREAMS:
                self.metrics.request_seconds.labels(method, route).observe(time.perf_counter() - began)


def _template(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"


def _known(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
