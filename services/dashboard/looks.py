"""How pages are drawn: one strict template environment, and what every page shows around its content."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.access.roles import Role
from services.api.problems import Problem
from services.api.pulse import Beat
from services.api.wiring import Wiring
from services.dashboard import words
from services.dashboard.permits import Permits
from services.telemetry.request_id import current_request_id

HERE = Path(__file__).parent
STATIC = HERE / "static"
_TITLES = {401: "Please log in", 403: "Not allowed", 404: "Nothing here", 409: "Somebody was quicker"}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=words.percent, span=words.span, size=words.size, thousands=words.thousands, moment=_moment
    )
    environment.globals.update(Role=Role, words=words, plural=words.plural, ago=words.ago, address=address)
    return environment


def _moment(at: datetime) -> str:
    """A moment for people: UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def address(path: str, **query: object) -> str:
    """A path with those query parameters that say something."""
    given = {key: str(value) for key, value in query.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given)}" if given else path


_TEMPLATES = _environment()


def page(
    request: Request, template: str, around: Beat | None, context: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """Draw a whole page; without `around` (no login, or no database) it has no navigation and is not live."""
    body = _TEMPLATES.get_template(template).render(around=around, request=request, **_asker(request), **context)
    return HTMLResponse(body, status)


def part(request: Request, template: str, context: Mapping[str, Any]) -> HTMLResponse:
    """Draw a part of a page, for pages that keep themselves true."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(**_asker(request), **context))


def _asker(request: Request) -> dict[str, Any]:
    """Who looks, and what the page may offer them."""
    principal = getattr(request.state, "principal", None)
    permits = Permits(request.app.state.doors, principal)
    return {"principal": principal, "may": permits.may, "who": permits.who}


def problem_page(request: Request, problem: Problem) -> HTMLResponse:
    """An error as a page; without a login, the login form itself."""
    if problem.status == 401:
        return login_page(request, problem)
    title = _TITLES.get(problem.status, "That did not work")
    context = {"problem": problem, "title": title, "request_id": current_request_id()}
    return page(request, "problem.html", None, context, problem.status)


def login_page(request: Request, problem: Problem | None, back: str = "") -> HTMLResponse:
    """The login form; `back` is the page that was wanted, the one asked for if it is empty."""
    wired: Wiring = request.app.state.wiring
    here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    context = {
        "problem": problem,
        "back": back or (here if request.method == "GET" and request.url.path != "/login" else "/"),
        "provider": wired.provider and wired.provider.host,
        "unencrypted": wired.keys.secure and request.url.scheme != "https",
    }
    response = page(request, "login.html", None, context, 200 if problem is None else problem.status)
    if problem is not None and problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


def go_to(url: str) -> RedirectResponse:
    """Send the browser on with GET (303), so that reloading there does not send a form again."""
    return RedirectResponse(url, 303)


def own(path: str) -> str:
    """Only addresses of this service: a form must not send anybody elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
