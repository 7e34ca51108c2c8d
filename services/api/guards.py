"""What every request and answer passes: who may call from where, how slow a body may be, what browsers may do.

Plain ASGI, because a stream of live alerts must not be buffered on its way.
"""

import asyncio
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.problems import ForbiddenError, ProblemPage, problem_of, respond

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Scripts, styles, pictures and connections of this service alone; nothing inline, no plug-ins, no frames."""

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Tells browsers what pages of this service may do; answers are not cached unless they say otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to each answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class SameOrigin:
    """Refuses calls made through foreign names or pages.

    The Host header must be one of ours: a foreign name that resolves to this address (DNS rebinding) would otherwise
    read everything where no login is needed. A changing request with an Origin must come from a page of this very
    host: browsers always send it then. Programs send none and are let through to the login.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, page: ProblemPage | None = None) -> None:
        """Accept these host names (without port); None accepts all, for services that ask for a login anyway."""
        self.app = app
        self.hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 403."""
        if scope["type"] == "http" and (complaint := self._complaint(scope)):
            response = respond(Request(scope), problem_of(complaint), self.page)
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _complaint(self, scope: Scope) -> ForbiddenError | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            expected = " | ".join(sorted(self.hosts))
            return ForbiddenError("unknown host name", where="Host header", expected=expected, got=host[:100])
        if scope["method"] in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return ForbiddenError("request from a foreign page", where="Origin header", expected=host, got=origin[:100])
        if origin is None and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return ForbiddenError("request from a foreign page", where="Sec-Fetch-Site header", expected="same-origin")
        return None


def _name(host: str) -> str:
    """The host without its port: 'localhost:8080' → 'localhost', '[::1]:8080' → '::1'."""
    return (urlsplit(f"//{host}").hostname or "") if host and "/" not in host else ""


SMALL_BODY_BYTES = 1 << 20
"""Room for any form and any JSON of ours."""


class BodyGuard:
    """Ends bodies that are too large or that trickle: a stalled upload must not hold a connection for ever.

    Attributes:
        limits_bytes: largest body by path; `SMALL_BODY_BYTES` for all others.
        silence_s: longest pause between two pieces, and the grace at the start, seconds.
        slowest_bytes_s: a body must have arrived at least this fast on average, bytes per second.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits_bytes: Mapping[str, int] | None = None,
        silence_s: float = 30.0,
        slowest_bytes_s: float = 4096.0,
    ) -> None:
        self.app = app
        self.limits_bytes = dict(limits_bytes or {})
        self.silence_s = silence_s
        self.slowest_bytes_s = slowest_bytes_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the body on, piece by piece, as long as it keeps coming and is not too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        limit = self.limits_bytes.get(scope["path"], SMALL_BODY_BYTES)
        announced = Headers(scope=scope).get("content-length", "0")
        began, received, complete = clock(), 0, False

        async def guarded() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            if announced.isdecimal() and int(announced) > limit:
                raise _ended(413, f"the body may have {limit} bytes, not {announced}")
            allowed_s = began + self.silence_s + received / self.slowest_bytes_s - clock()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, min(self.silence_s, allowed_s)))
            except TimeoutError:
                raise _ended(408, "the body did not arrive in time") from None
            received += len(message.get("body", b""))
            if received > limit:
                raise _ended(413, f"the body may have {limit} bytes")
            complete = not message.get("more_body", False)
            return message

        await self.app(scope, guarded, send)


def _ended(status: int, detail: str) -> HTTPException:
    """What FastAPI passes on to the error handler when it is raised while a body is read."""
    return HTTPException(status, detail, {"Connection": "close"})
