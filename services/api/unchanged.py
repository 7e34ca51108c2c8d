"""ETags for every JSON answer of the API, and 304 to whoever has it already (RFC 9110, 13).

The tag is a hash of the answer: asking again costs the server as much, but the network and the client nothing. Where a
handler gives a version of its own (`"3"`), the tag begins with it, so that it can be sent back as If-Match.
"""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.schemas import PREFIX

_MOST_BYTES = 8 << 20
"""Larger answers are passed on as they come."""


class Unchanged:
    """Gathers JSON answers to GET, tags them, and leaves out the body of one the client names in If-None-Match."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through and tag the answer."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        known = {one.strip().removeprefix("W/") for one in Headers(scope=scope).get("if-none-match", "").split(",")}
        start: Message | None = None
        gathered: list[bytes] = []

        async def tagging(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_taggable(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            gathered.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            body, headers = b"".join(gathered), MutableHeaders(raw=list(start["headers"]))
            tag = _tag(headers.get("etag"), body)
            headers["ETag"] = tag
            headers.setdefault("Cache-Control", "private, no-cache")  # keep it, but ask whether it is still so
            if tag in known or "*" in known:
                del headers["content-length"], headers["content-type"]
                start, body = {**start, "status": 304}, b""
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, tagging)


def _is_taggable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    size = headers.get("content-length", "")
    is_json = headers.get("content-type", "").startswith("application/json")
    own = headers.get("etag")
    return bool(
        start["status"] == 200 and is_json and size.isdecimal() and int(size) <= _MOST_BYTES
        and (own is None or own.strip('"').isdecimal())
    )  # fmt: skip


def _tag(version: str | None, body: bytes) -> str:
    digest = hashlib.sha256(body).hexdigest()[:24]
    return f'"{digest}"' if version is None else f'"{version.strip(chr(34))}-{digest}"'
