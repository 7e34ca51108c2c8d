"""How often one caller may ask: by what they show and by where they come from, before anything else is done for them.

GCRA, the leaky bucket without a counter (ITU-T I.371, annex A): of each caller only the moment is kept at which they
will have paid for all they asked so far. Each process counts for itself, so with N of them a caller gets up to N times
as much: these limits keep one caller from starving the others, they are no accounting.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.access.attempts import network_of
from services.api.problems import ProblemPage, TooManyRequestsError, problem_of, respond

ADDRESS_FACTOR = 5
"""Many people may come from one address, through a proxy or a gateway."""
_REMEMBERED = 10_000
_FREE = ("/static/", "/healthz")


class Rate:
    """A rate that each of many callers may have; a whole minute's worth may come at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._step_s = 60.0 / per_minute
        self._clock = clock
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Count one request of a caller; 0 if it may pass, else the seconds after which it may."""
        now = self._clock()
        paid_at = max(now, self._paid_at.get(caller, now)) + self._step_s
        if paid_at - now > 60.0 + self._step_s / 2:
            return paid_at - now - 60.0
        self._paid_at[caller] = paid_at
        self._paid_at.move_to_end(caller)
        while len(self._paid_at) > _REMEMBERED:
            self._paid_at.popitem(last=False)  # asked least recently: has paid, or will be believed to have
        return 0.0


class Rates:
    """Answers 429 to whoever asks too often, with the time after which to ask again."""

    def __init__(
        self,
        app: ASGIApp,
        per_minute: int,
        page: ProblemPage | None = None,
        free: tuple[str, ...] = ("/static/", "/healthz"),
    ) -> None:
        self.app = app
        self.page = page
        self.free = free
        self.by_key = Rate(per_minute)
        self.by_address = Rate(ADDRESS_FACTOR * per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 429."""
        if scope["type"] == "http" and not scope["path"].startswith(_FREE):
            wait = self._wait_s(scope)
            if wait > 0:
                problem = problem_of(TooManyRequestsError(math.ceil(wait)))
                await respond(Request(scope), problem, self.page)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _wait_s(self, scope: Scope) -> float:
        client = scope.get("client")
        wait = self.by_address.wait_s(network_of(client[0] if client else "unknown"))
        headers = Headers(scope=scope)
        shown = headers.get("authorization") or headers.get("cookie")
        if wait == 0 and shown:
            wait = self.by_key.wait_s(hashlib.sha256(shown.encode()).hexdigest())
        return wait
