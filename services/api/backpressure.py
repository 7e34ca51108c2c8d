"""Uploads wait outside while the queue is full: 503 with Retry-After, before a byte of the file is read."""

import threading
import time
from collections.abc import Collection

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from models.domain.errors import RetryableError
from services.api.problems import ProblemPage, problem_of, respond
from services.records.session import Database
from services.records.tables import JobRow, JobState

LOOK_EVERY_S = 1.0
RETRY_AFTER_S = 30


class QueueFullError(RetryableError):
    """More files wait than the installation wants to have waiting."""

    code = "queue-full"
    retry_after_s = RETRY_AFTER_S


class Backpressure:
    """Counts what waits, at most once a second, and turns uploads away while it is too much."""

    def __init__(
        self, app: ASGIApp, database: Database, most: int, paths: Collection[str], page: ProblemPage | None = None
    ) -> None:
        self.app = app
        self.database = database
        self.most = most
        self.paths = frozenset(paths)
        self.page = page
        self._lock = threading.Lock()
        self._last: tuple[float, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 503."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self.paths:
            try:
                await run_in_threadpool(self._check)
            except RetryableError as error:
                await respond(Request(scope), problem_of(error), self.page)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self) -> None:
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] >= LOOK_EVERY_S:
                with self.database.read() as session:
                    waiting = session.scalar(select(func.count()).where(JobRow.state == JobState.QUEUED)) or 0
                self._last = (time.monotonic(), waiting)
        if self._last[1] >= self.most:
            raise QueueFullError(
                "too many files wait already", where="WAFERWATCH_QUEUE_LIMIT", expected=f"fewer than {self.most}",
                got=str(self._last[1]), remedy="send it again later",
            )  # fmt: skip
