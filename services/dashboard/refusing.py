"""The page where an engineer sees what thresholds cost and gain, and changes them with a reason."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.errors import InputError
from services.access.roles import Role
from services.api.needs import needs
from services.api.routing import route_at
from services.api.thresholds import RouteName, held
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import address, go_to, page
from services.routing.routing import ROUTE_PATTERN
from services.routing.thresholds import ThresholdOrder, change

Number = Annotated[str, Query(max_length=32)]
routes = APIRouter(include_in_schema=False)


@routes.get("/thresholds")
def thresholds(
    *,
    request: Request,
    wired: Wired,
    route: RouteName = None,
    budget: Number = "",
    novelty: Number = "",
    confidence: Number = "",
) -> HTMLResponse:
    """The thresholds in force, what the usual budgets would do, and a preview of any others."""
    return _page(request, wired, route, {"budget": budget, "novelty": novelty, "confidence": confidence})


@routes.post("/thresholds")
@needs(Role.ENGINEER)
def put_into_force(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    route: Annotated[str, Form(pattern=ROUTE_PATTERN)],
    after: Annotated[str, Form(max_length=64)],
    reason: Annotated[str, Form(min_length=1, max_length=2000)],
    budget: Annotated[str, Form(max_length=32)] = "",
    novelty: Annotated[str, Form(max_length=32)] = "",
    confidence: Annotated[str, Form(max_length=32)] = "",
) -> Response:
    """Change them."""
    asked = {"budget": budget, "novelty": novelty, "confidence": confidence}
    try:
        order, name = _order(asked), route_at(wired, route).name
        change(wired.settings, wired.database, order, route=name, actor=caller.name, reason=reason, after=after)
    except InputError as error:
        return _page(request, wired, route, asked, str(error))
    return go_to(address("/thresholds", route=route))


def _page(
    request: Request, wired: Wiring, route: str | None, asked: Mapping[str, str], complaint: str = ""
) -> HTMLResponse:
    found = held(wired, route)
    preview = None
    if not complaint and any(asked.values()):
        try:
            order = _order(asked)
            preview = found.effect(order.thresholds(found.bundle), order.budget)
        except InputError as error:
            complaint = str(error)
    context = {
        "route": found.route,
        "bundle": found.ref,
        "now": found.effect(found.bundle.manifest.thresholds),
        "choices": found.choices(),
        "preview": preview,
        "asked": asked,
        "complaint": complaint,
    }
    return page(request, "thresholds.html", wired.pulse.beat(), context, 422 if complaint else 200)


def _order(asked: Mapping[str, str]) -> ThresholdOrder:
    """What somebody typed; empty fields stay as they are."""
    numbers = {}
    for name, text in asked.items():
        try:
            numbers[name] = float(text) if text.strip() else None
        except ValueError as error:
            raise InputError("not a number", where=name, got=text) from error
    return ThresholdOrder(**numbers)
