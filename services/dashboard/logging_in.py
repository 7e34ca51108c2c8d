"""Log in and out: a password, or the word of an identity provider, is traded for a cookie that lasts a shift."""

import hmac
import logging
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from models.domain.errors import InputError
from services.access.logins import (
    DEVICE_LASTS,
    LASTS,
    Browser,
    Shown,
    TooManyAttemptsError,
    WrongPasswordError,
    begin,
    end_login,
    log_in,
)
from services.access.oidc import ARRIVAL, ROUND_LASTS, NotVouchedForError
from services.access.roles import Role
from services.access.users import vouched_for
from services.api.access import DEVICE_COOKIE, LOGIN_COOKIE, Keys
from services.api.needs import needs, open_to_all
from services.api.problems import NotFoundError, problem_of
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import go_to, login_page, own

STATE_COOKIE = "waferwatch_round"
_log = logging.getLogger(__name__)
routes = APIRouter(include_in_schema=False)


@routes.get("/login")
@open_to_all
def login_form(request: Request, back: str = "/") -> Response:
    """Where people log in."""
    return login_page(request, None, own(back))


@routes.post("/login")
@open_to_all
def login(
    *,
    request: Request,
    wired: Wired,
    name: Annotated[str, Form(max_length=80)],
    password: Annotated[str, Form(max_length=256)],
    back: Annotated[str, Form(max_length=1000)] = "/",
) -> Response:
    """Trade name and password for a login."""
    try:
        shown = log_in(wired.database, name, password, browser_of(request, wired))
    except (WrongPasswordError, TooManyAttemptsError) as error:
        return login_page(request, problem_of(error), own(back))
    return logged_in(wired, shown, own(back))


@routes.get("/login/provider")
@open_to_all
def depart(wired: Wired, back: Annotated[str, Query(max_length=1000)] = "/") -> Response:
    """Send the browser to the identity provider."""
    if wired.provider is None:
        raise NotFoundError("no identity provider is set up", where="WAFERWATCH_OIDC_ISSUER")
    departure = wired.provider.depart(wired.database, own(back))
    response = go_to(departure.url)
    _set_cookie(response, wired.keys, STATE_COOKIE, departure.state, ROUND_LASTS)
    return response


@routes.get(ARRIVAL)
@open_to_all
def arrive(
    *,
    request: Request,
    wired: Wired,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Back from the identity provider, in the browser that left."""
    ours = wired.keys.cookie(request.headers, STATE_COOKIE)
    try:
        if wired.provider is None or ours is None or not hmac.compare_digest(ours.encode(), state.encode()):
            raise NotVouchedForError("this login was not begun in this browser", remedy="begin it again")
        if not code:
            raise NotVouchedForError("the identity provider let nobody in", got=error or "no code")
        vouched = wired.provider.arrive(wired.database, state, code)
        with wired.database.write() as session:
            user = vouched_for(
                session, issuer=vouched.issuer, subject=vouched.subject, name=vouched.name, role=vouched.role
            )
            shown = begin(session, user, browser_of(request, wired))
    except InputError as complaint:
        _log.warning("login at the identity provider failed: %s", complaint)
        return login_page(request, problem_of(complaint), "/")
    response = logged_in(wired, shown, own(vouched.back))
    response.delete_cookie(wired.keys.cookie_name(STATE_COOKIE), secure=wired.keys.secure, httponly=True)
    return response


@routes.post("/logout")
@needs(*Role)
def logout(wired: Wired, caller: Caller) -> Response:
    """End this browser's login, here and in the database."""
    if caller.login_id is not None and caller.user_id is not None:
        with wired.database.write() as session:
            end_login(session, caller.login_id, of_user=caller.user_id)
    response = go_to("/login")
    response.delete_cookie(wired.keys.cookie_name(LOGIN_COOKIE), secure=wired.keys.secure, httponly=True)
    return response


def browser_of(request: Request, wired: Wiring) -> Browser:
    """Where a login comes from."""
    address = request.client.host if request.client else "unknown"
    return Browser(address, wired.keys.cookie(request.headers, DEVICE_COOKIE))


def logged_in(wired: Wiring, shown: Shown, back: str) -> Response:
    """Send the browser on, with its cookies: out of reach of scripts, and of forms on other pages."""
    response = go_to(back)
    _set_cookie(response, wired.keys, LOGIN_COOKIE, shown.login, LASTS)
    _set_cookie(response, wired.keys, DEVICE_COOKIE, shown.device, DEVICE_LASTS)
    return response


def _set_cookie(response: Response, keys: Keys, name: str, value: str, lasts: timedelta) -> None:
    response.set_cookie(
        keys.cookie_name(name),
        value,
        max_age=int(lasts.total_seconds()),
        httponly=True,
        samesite="lax",  # strict ones would not come back from the identity provider
        secure=keys.secure,
    )
