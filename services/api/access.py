"""Who asks: everybody on this machine where the service listens on loopback alone, else a bearer of the token.

People trade the token for a signed cookie at /login, so that pages work without scripts. The cookie carries a name
and an end, not the token: HMAC-SHA256 over both under a key derived from the token. A new token ends all logins.
"""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from models.domain.errors import ConfigurationError
from services.api.problems import ProblemPage, UnauthorizedError, problem_of, respond
from services.settings import Settings

COOKIE = "waferwatch_login"
LOGIN_S = 12 * 3600
"""One shift."""
_OPEN_PATHS = ("/healthz", "/login")
_OPEN_PREFIX = "/static/"
"""Style and scripts of the login page; they are public with the source code."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: for the audit trail.
        needs_login: False where everybody on this machine may do everything.
    """

    name: str
    needs_login: bool


class Keys:
    """Checks tokens and cookies; None of a token means that no login is needed."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._key = hashlib.sha256(b"waferwatch cookie\x00" + token.encode()).digest() if token else b""

    @property
    def needs_login(self) -> bool:
        """Whether callers must show something."""
        return self._token is not None

    def fits(self, token: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self._token is not None and hmac.compare_digest(token.encode(), self._token.encode())

    def cookie(self, name: str) -> str:
        """A login for `name`, valid for one shift."""
        claim = f"{int(time.time()) + LOGIN_S}.{base64.urlsafe_b64encode(name.encode()).decode().rstrip('=')}"
        return f"{claim}.{self._sign(claim)}"

    def name_in(self, cookie: str) -> str | None:
        """The name in a cookie of ours that has not ended, else None."""
        claim, _, signature = cookie.rpartition(".")
        if not self.needs_login or not hmac.compare_digest(signature, self._sign(claim)):
            return None
        end, _, name = claim.partition(".")
        if int(end) < time.time():
            return None
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()

    def _sign(self, claim: str) -> str:
        return hmac.new(self._key, claim.encode(), hashlib.sha256).hexdigest()


def keys_for(settings: Settings) -> Keys:
    """The keys this installation asks for.

    Raises:
        ConfigurationError: other machines could reach the service and no token is set, or the token is short.
    """
    token = settings.token.get_secret_value() if settings.token is not None else None
    if token is not None and len(token) < 16:
        raise ConfigurationError(
            "token is too short",
            where="WAFERWATCH_TOKEN",
            expected="at least 16 characters",
            got=f"{len(token)}",
            remedy="make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    if token is None and not is_loopback(settings.host):
        raise ConfigurationError(
            "service would be open to everybody",
            where=f"WAFERWATCH_HOST={settings.host}",
            expected="a token, or a loopback address",
            remedy="set WAFERWATCH_TOKEN or WAFERWATCH_HOST=127.0.0.1",
        )
    return Keys(token)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """Lets nobody in who need not be: deny by default, in one place, for routes that are not yet written too."""

    def __init__(self, app: ASGIApp, keys: Keys, page: ProblemPage | None = None) -> None:
        self.app = app
        self.keys = keys
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the principal on the request, or answer 401."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        principal = self._principal(Headers(scope=scope))
        path: str = scope["path"]
        if principal is None and path not in _OPEN_PATHS and not path.startswith(_OPEN_PREFIX):
            error = UnauthorizedError(
                "login needed", where=path, expected="Authorization: Bearer TOKEN, or a login at /login"
            )
            response = respond(Request(scope), problem_of(error), self.page)
            await response(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await self.app(scope, receive, send)

    def _principal(self, headers: Headers) -> Principal | None:
        if not self.keys.needs_login:
            return Principal("local", needs_login=False)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.keys.fits(token.strip()):
            return Principal("token", needs_login=True)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        name = self.keys.name_in(cookie) if cookie else None
        return None if name is None else Principal(name, needs_login=True)
