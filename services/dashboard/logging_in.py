"""Log in and out: a name and a password are traded for a cookie that lasts a shift."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from services.access.logins import (
    DEVICE_LASTS,
    LASTS,
    Browser,
    Shown,
    TooManyAttemptsError,
    WrongPasswordError,
    end_login,
    log_in,
)
from services.access.roles import Role
from services.api.access import DEVICE_COOKIE, LOGIN_COOKIE
from services.api.needs import needs, open_to_all
from services.api.problems import problem_of
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import login_page, own

SEE_OTHER = 303
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
    return logged_in(request, wired, shown, own(back))


@routes.post("/logout")
@needs(*Role)
def logout(wired: Wired, caller: Caller) -> Response:
    """End this browser's login, here and in the database."""
    if caller.login_id is not None and caller.user_id is not None:
        with wired.database.write() as session:
            end_login(session, caller.login_id, of_user=caller.user_id)
    response = RedirectResponse("/login", SEE_OTHER)
    response.delete_cookie(wired.keys.cookie_name(LOGIN_COOKIE), secure=wired.keys.secure, httponly=True)
    return response


def browser_of(request: Request, wired: Wiring) -> Browser:
    """Where a login comes from."""
    address = request.client.host if request.client else "unknown"
    return Browser(address, wired.keys.cookie(request.headers, DEVICE_COOKIE))


def logged_in(request: Request, wired: Wiring, shown: Shown, back: str) -> Response:
    """Send the browser on, with its cookies: out of reach of scripts, and of forms on other pages."""
    response = RedirectResponse(back, SEE_OTHER)
    secure = wired.keys.secure or request.url.scheme == "https"
    for name, value, lasts in ((LOGIN_COOKIE, shown.login, LASTS), (DEVICE_COOKIE, shown.device, DEVICE_LASTS)):
        response.set_cookie(
            wired.keys.cookie_name(name),
            value,
            max_age=int(lasts.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=secure,
        )
    return response
