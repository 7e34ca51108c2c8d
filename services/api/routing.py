"""GET /routing, /shadow: which bundle judges what, and what challengers would have said."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from models.domain.errors import ConfigurationError, RetryableError
from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of
from services.api.problems import NotFoundError
from services.api.routing_schemas import (
    BundleOnRoute,
    RouteCountAnswer,
    RoutingAnswer,
    RoutingChangeAnswer,
    RoutingOrder,
    ShadowCountAnswer,
    ShadowLookAnswer,
)
from services.api.schemas import PREFIX, Listing
from services.api.wiring import Caller, Wired, Wiring
from services.records.route_tables import ShadowOutcome
from services.records.session import now
from services.records.shadows import route_counts, shadow_counts, shadow_looks
from services.records.views import Cursor
from services.routing.history import RoutingChange, apply, history, in_force, plain_routing
from services.routing.routing import Routing
from services.serving.bundle_store import BundleStore, Route

Hours = Annotated[float, Query(gt=0, le=24 * 366, description="Look back this many hours.")]
routes = APIRouter(prefix=PREFIX, tags=["routing"])


@routes.get("/routing")
def routing(wired: Wired) -> RoutingAnswer:
    """The routing in force, and the bundle each of its routes means now. POST one to change it."""
    holds, change = _holding(wired)
    return RoutingAnswer(
        number=change.number if change is not None else 0,
        applied_at=change.at if change is not None else None,
        applied_by=change.actor if change is not None else None,
        note=change.note if change is not None else "",
        routing=holds,
        bundles=[_bundle(wired, route) for route in holds.routes],
    )


@routes.post("/routing", status_code=201, responses={422: {"description": "No such routing is possible."}})
@needs(Role.ENGINEER)
def put_into_force(change: RoutingOrder, wired: Wired, caller: Caller) -> RoutingAnswer:
    """Put a routing into force; inspectors use it from their next file on."""
    with wired.database.write() as session:
        apply(session, change.routing, actor=caller.name, note=change.note, after=change.after)
    return routing(wired)


@routes.get("/routing/history")
def changes(wired: Wired, limit: Limit = 50, cursor: PageCursor = None) -> Listing[RoutingChangeAnswer]:
    """Every routing that was in force, the newest first; `waferwatch` as actor took something back by itself."""
    with wired.database.read() as session:
        before = None if cursor is None else cursor.number
        found = history(session, limit=limit + 1, before=before)
    end = Cursor(found[limit - 1].at, str(found[limit - 1].number)) if len(found) > limit else None
    return Listing(items=[RoutingChangeAnswer.of(one) for one in found[:limit]], next=end and str(end))


@routes.get("/routing/counts")
def counts(wired: Wired, hours: Hours = 24) -> list[RouteCountAnswer]:
    """What each bundle made of the captures it was sent: a canary stands beside its champion."""
    with wired.database.read() as session:
        return [RouteCountAnswer.of(one) for one in route_counts(session, since=_since(now(session), hours))]


@routes.get("/shadow")
def looks(
    wired: Wired,
    limit: Limit = 50,
    cursor: PageCursor = None,
    outcome: Annotated[ShadowOutcome | None, Query(description="Only these; all if left empty.")] = None,
    route: Annotated[str | None, Query(description="Of the challenger.")] = None,
) -> Listing[ShadowLookAnswer]:
    """Looks of challengers beside what was stated, the newest first."""
    with wired.database.read() as session:
        page = shadow_looks(session, outcome=outcome, route=route, limit=limit, after=cursor)
    return Listing(items=[ShadowLookAnswer.of(one) for one in page.items], next=next_of(page))


@routes.get("/shadow/counts")
def summary(wired: Wired, hours: Hours = 24) -> list[ShadowCountAnswer]:
    """How often challengers agreed, and with which words they did not."""
    with wired.database.read() as session:
        return [ShadowCountAnswer.of(one) for one in shadow_counts(session, since=_since(now(session), hours))]


def route_at(wired: Wiring, name: str) -> Route:
    """What a route means now; the digest of an installed bundle is a route to itself.

    Raises:
        NotFoundError: there is no such route.
        RetryableError: nothing was released to it yet.
    """
    try:
        return BundleStore(wired.settings.bundle_dir).resolve(name)
    except RetryableError as error:
        known = _holding(wired)[0].routes
        if name in known:
            raise
        raise NotFoundError("no such route", where=name, expected=" | ".join(known)) from error


def _since(moment: datetime, hours: float) -> datetime:
    return moment - timedelta(hours=hours)


def _holding(wired: Wiring) -> tuple[Routing, RoutingChange | None]:
    """The routing in force, and the change that made it so; none if nobody ever applied one."""
    with wired.database.read() as session:
        change = in_force(session)
    return (plain_routing(wired.settings), None) if change is None else (change.routing, change)


def _bundle(wired: Wiring, route: str) -> BundleOnRoute:
    """What a route means now on this machine; a route without a bundle says why."""
    try:
        ref = BundleStore(wired.settings.bundle_dir).resolve(route).manifest.ref
    except (RetryableError, ConfigurationError) as error:
        return BundleOnRoute(route=route, bundle=None, missing=str(error))
    return BundleOnRoute.of(route, ref)
