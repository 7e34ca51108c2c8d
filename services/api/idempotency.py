"""Idempotency-Key: a request sent again because its answer was lost gets the first one's answer, and does nothing more.

The key is the client's, per caller. The first request with it claims a row; its answer is stored there and given to
every repeat for a day. A repeat that asks for something else is a mistake of the client (422); one that comes while the
first is at work must wait (409). Answers that only say "not now" (5xx, 429) are not stored: the repeat is a new try.

The row and the deed are two transactions: after a crash between them the repeat does the deed again. Deeds here bear
that: uploads are known by their content, alerts by their version.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import delete, update
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.domain.errors import InputError, WaferwatchError
from services.access.roles import Principal
from services.api.guards import SAFE_METHODS
from services.api.problems import problem_of, respond
from services.api.schemas import PREFIX
from services.records.access_tables import KeptAnswerRow
from services.records.session import Database, now
from services.records.upsert import insert_new

KEPT = timedelta(days=1)
AT_WORK = timedelta(minutes=5)
"""A claim without an answer that is older was made by a process that died."""
LONGEST_KEY = 255
_KEPT_HEADERS = ("content-type", "location", "etag")


class Idempotency:
    """Answers repeats of requests that change something from what their first answer was."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a first request through and keep its answer, or give a repeat the answer that is kept."""
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] in SAFE_METHODS or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive)
        try:
            if not 0 < len(key) <= LONGEST_KEY:
                raise InputError("bad Idempotency-Key", expected=f"1 to {LONGEST_KEY} characters", got=str(len(key)))
            await body.read()
            name = _name(scope, key)
            kept = await run_in_threadpool(self._claim, name, body.fingerprint)
        except (WaferwatchError, HTTPException) as error:
            await respond(Request(scope), problem_of(error), None)(scope, receive, send)
            return
        if kept is not None:
            await _give(kept, send)
            return
        answer = _Answer(send, partial(self._keep, name))
        try:
            await self.app(scope, body.replay, answer.watch)
        finally:
            if not answer.is_whole:
                await run_in_threadpool(self._keep, name, answer)

    def _claim(self, name: str, fingerprint: str) -> KeptAnswerRow | None:
        """None if the request is the first; else the answer that was kept.

        Raises:
            InputError: the first is still at work, or asked for something else.
        """
        with self.database.write() as session:
            moment = now(session)
            old = KeptAnswerRow.claimed_at < moment - KEPT
            dead = KeptAnswerRow.status.is_(None) & (KeptAnswerRow.claimed_at < moment - AT_WORK)
            session.execute(delete(KeptAnswerRow).where(old | dead))
            values: dict[str, Any] = {"name": name, "fingerprint": fingerprint, "claimed_at": moment}
            if insert_new(session, KeptAnswerRow, KeptAnswerRow.name, **values):
                return None
            row = session.get_one(KeptAnswerRow, name)
            if row.fingerprint != fingerprint:
                raise InputError(
                    "Idempotency-Key was used for another request", expected="a key of its own for each request",
                    code="idempotency-key-reused",
                )  # fmt: skip
            if row.status is None:
                raise InputError("the first request with this Idempotency-Key is at work", code="idempotency-at-work")
            return row

    def _keep(self, name: str, answer: "_Answer") -> None:
        mine = KeptAnswerRow.name == name
        with self.database.write() as session:
            if answer.is_final:
                kept = {"status": answer.status, "headers": answer.headers, "body": b"".join(answer.pieces)}
                session.execute(update(KeptAnswerRow).where(mine).values(kept))
            else:
                session.execute(delete(KeptAnswerRow).where(mine))


class _Body:
    """A small body, read before the request is let through, so that it can be compared.

    An upload is not: it may be large, and its parts are separated by text that differs in each repeat. It is known by
    its content anyway.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._is_upload = Headers(scope=scope).get("content-type", "").startswith("multipart/")
        self._target = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}".encode()
        self._receive = receive
        self._messages: list[Message] = []

    async def read(self) -> None:
        """Take all of it."""
        more = not self._is_upload
        while more:
            message = await self._receive()
            self._messages.append(message)
            more = message.get("more_body", False)

    @property
    def fingerprint(self) -> str:
        """Hash of what is asked for."""
        digest = hashlib.sha256(self._target)
        for message in self._messages:
            digest.update(b"\x00" + message.get("body", b""))
        return digest.hexdigest()

    async def replay(self) -> Message:
        """An ASGI receive that begins with what was read."""
        return self._messages.pop(0) if self._messages else await self._receive()


class _Answer:
    """Watches an answer on its way out, and has it kept before its end is sent."""

    def __init__(self, send: Send, keep: Callable[["_Answer"], None]) -> None:
        self._send = send
        self._keep = keep
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.is_whole = False

    @property
    def is_final(self) -> bool:
        """Whether asking again would give the same."""
        return self.is_whole and self.status < 500 and self.status not in (401, 403, 408, 429)

    async def watch(self, message: Message) -> None:
        """An ASGI send."""
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self.status = message["status"]
            self.headers = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        elif message["type"] == "http.response.body":
            self.pieces.append(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
            if self.is_whole:  # before the client can ask again
                await run_in_threadpool(self._keep, self)
        await self._send(message)


def _name(scope: Scope, key: str) -> str:
    """The key as it is stored: each caller has their own."""
    caller: Principal | None = scope["state"].get("principal")
    return hashlib.sha256(f"{caller.name if caller else ''}\x00{key}".encode()).hexdigest()


async def _give(kept: KeptAnswerRow, send: Send) -> None:
    assert kept.status is not None
    body = kept.body or b""
    headers = [(name.encode(), value.encode()) for name, value in (kept.headers or {}).items()]
    headers += [(b"content-length", str(len(body)).encode()), (b"idempotency-replayed", b"true")]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
