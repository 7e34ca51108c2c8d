"""Who asks, and whether they may: deny by default, in one place, before a request's body is read.

Where only this machine can reach the service, everybody on it may do everything (`EVERYBODY_HERE`). Else people show
the cookie of a login and programs a token (`Authorization: Bearer …`). What a route needs, the route says
(`services.api.needs`).
"""

from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from models.domain.errors import RetryableError, WaferwatchError
from services.access.logins import principal_of_login
from services.access.roles import EVERYBODY_HERE, Principal, Role
from services.access.tokens import MARK, principal_of_token
from services.api.needs import Doors
from services.api.problems import ForbiddenError, ProblemPage, UnauthorizedError, problem_of, respond
from services.records.session import Database

LOGIN_COOKIE = "waferwatch_login"
DEVICE_COOKIE = "waferwatch_device"
_LONGEST = 200
"""Characters of a token or cookie; longer ones are none of ours and are not even hashed."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Recognises who asks by what they show.

    Attributes:
        database: where logins and tokens are.
        needs_login: False where everybody who reaches the service may do everything.
        secure: True if the cookies travel over TLS alone.
    """

    database: Database
    needs_login: bool
    secure: bool = False

    def cookie_name(self, name: str) -> str:
        """`__Host-` makes browsers refuse such a cookie from a neighbouring host or without TLS."""
        return f"__Host-{name}" if self.secure else name

    def principal(self, headers: Headers) -> Principal | None:
        """Who asks; None if they show nothing that opens anything.

        Raises:
            RetryableError: the database does not answer.
        """
        if not self.needs_login:
            return EVERYBODY_HERE
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer":
            return (
                principal_of_token(self.database, token) if token.startswith(MARK) and len(token) < _LONGEST else None
            )
        cookie = self.cookie(headers, LOGIN_COOKIE)
        return None if cookie is None else principal_of_login(self.database, cookie)

    def cookie(self, headers: Headers, name: str) -> str | None:
        """A cookie of ours, if the browser shows it."""
        shown = cookie_parser(headers.get("cookie", "")).get(self.cookie_name(name), "")
        return shown if 0 < len(shown) < _LONGEST else None


class Access:
    """Lets nobody in who need not be, for routes that are not yet written too."""

    def __init__(self, app: ASGIApp, keys: Keys, page: ProblemPage | None = None) -> None:
        self.app = app
        self.keys = keys
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the principal on the request, or answer 401 or 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        doors: Doors = scope["app"].state.doors
        needed = doors.needs_at(scope["path"], scope.get("method", "GET"))
        scope.setdefault("state", {})["principal"] = None
        complaint: WaferwatchError | None = None
        try:
            principal = await self._principal(Headers(scope=scope))
            scope["state"]["principal"] = principal
            complaint = _complaint(principal, needed, scope["path"])
        except RetryableError as error:
            complaint = error if needed else None  # /healthz and the login page answer without the database
        if complaint is not None:
            await respond(Request(scope), problem_of(complaint), self.page)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _principal(self, headers: Headers) -> Principal | None:
        if not self.keys.needs_login:
            return EVERYBODY_HERE
        if "authorization" not in headers and "cookie" not in headers:
            return None
        return await run_in_threadpool(self.keys.principal, headers)


def _complaint(principal: Principal | None, needed: frozenset[Role], path: str) -> WaferwatchError | None:
    if not needed:
        return None
    if principal is None:
        return UnauthorizedError(
            "login needed", where=path, expected="Authorization: Bearer TOKEN, or a login at /login"
        )
    if principal.may(*needed):
        return None
    return ForbiddenError(
        "not yours to do", where=path, expected=" or ".join(sorted(needed)), got=principal.name,
        remedy="an admin can give you that role", code="role-missing",
    )  # fmt: skip
