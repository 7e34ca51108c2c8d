"""Pages about people's attention: silences and maintenance, the rules and what they would have raised, bad actors."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.alert import SilenceKind
from models.domain.errors import InputError
from services.access.roles import Role
from services.alerting.replay import replay
from services.alerting.rule_file import rules_at
from services.alerting.silencing import Wish, add_silence, end_silence
from services.api.needs import needs
from services.api.paging import PageCursor
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import address, go_to, page
from services.records.bad_actors import alert_rate, bad_actors
from services.records.silences import NAMED, silences
from services.records.views import Cursor

HOURS = {1: "1 hour", 4: "4 hours", 8: "8 hours", 24: "1 day", 72: "3 days", 168: "1 week", 720: "30 days"}
REPEATS = {0: "once", 1: "every day", 7: "every week", 28: "every 4 weeks"}
DAYS = {1: "24 hours", 7: "7 days", 30: "30 days"}
OVER = timedelta(days=7)
"""How long ended silences stay on the page."""
Text = Annotated[str, Query(max_length=200)]
Field = Annotated[str, Form(max_length=200)]
routes = APIRouter(include_in_schema=False)


@routes.get("/silences")
def all_silences(
    *,
    request: Request,
    wired: Wired,
    cursor: PageCursor = None,
    rule: Text = "",
    pattern: Text = "",
    product: Text = "",
    step: Text = "",
    tool: Text = "",
) -> HTMLResponse:
    """What is quiet and why; the form is filled in from the address, as the page of an alert links here."""
    wanted = {"rule": rule, "pattern": pattern, "product": product, "step": step, "tool": tool}
    return _silences_page(request, wired, wanted, cursor)


@routes.post("/silences")
@needs(Role.OPERATOR)
def add(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    reason: Annotated[str, Form(max_length=2000)] = "",
    kind: Annotated[str, Form()] = SilenceKind.SILENCE.value,
    hours: Annotated[int, Form(ge=1, le=720)] = 8,
    starts_at: Annotated[str, Form(max_length=40)] = "",
    every_days: Annotated[int, Form(ge=0, le=366)] = 0,
    rule: Field = "",
    pattern: Field = "",
    product: Field = "",
    step: Field = "",
    tool: Field = "",
) -> Response:
    """The form."""
    wanted = {"rule": rule, "pattern": pattern, "product": product, "step": step, "tool": tool}
    try:
        begin = _moment(starts_at)
        wish = Wish(
            reason=reason,
            until=(begin or wired.pulse.beat().now) + timedelta(hours=hours),
            starts_at=begin,
            kind=SilenceKind(kind),
            every_days=every_days or None,
            **{name: value.strip() or None for name, value in wanted.items()},
        )
        with wired.database.write() as session:
            add_silence(session, wish, author=caller.name)
    except (InputError, ValueError) as error:
        complaint = f"A silence needs {error.complaint.expected}." if isinstance(error, InputError) else str(error)
        return _silences_page(request, wired, wanted, complaint=complaint)
    wired.pulse.forget()
    return go_to("/silences")


@routes.post("/silences/{silence_id}/end")
@needs(Role.OPERATOR)
def end(silence_id: int, wired: Wired, caller: Caller, cursor: PageCursor = None) -> Response:
    """The button."""
    with wired.database.write() as session:
        end_silence(session, silence_id, by=caller.name)
    wired.pulse.forget()
    return go_to(address("/silences", cursor=cursor))


@routes.get("/rules")
def all_rules(request: Request, wired: Wired, days: Annotated[int, Query(ge=0, le=30)] = 0) -> HTMLResponse:
    """The rules in force; with `days`, what they would have raised in that time."""
    rules, beat = rules_at(wired.settings.rules), wired.pulse.beat()
    fired = None
    if days:
        with wired.database.read() as session:
            fired = replay(session, rules, beat.now - timedelta(days=days), beat.now)
    context = {
        "rules": rules,
        "file": wired.settings.rules,
        "days": days,
        "reaches": DAYS,
        "fired": fired,
        "told": 0 if fired is None else sum(one.told for one in fired),
        "budget": rules.budget.in_10_min * 144 * days,
    }
    return page(request, "rules.html", beat, context)


@routes.get("/bad-actors")
def worst(request: Request, wired: Wired, days: Annotated[int, Query(ge=1, le=366)] = 7) -> HTMLResponse:
    """The troubles that take most of people's attention, and how often alerts came faster than people can answer."""
    budget, beat = rules_at(wired.settings.rules).budget, wired.pulse.beat()
    since = beat.now - timedelta(days=days)
    with wired.database.read() as session:
        actors = bad_actors(session, since)
        rate = alert_rate(session, since, beat.now, budget=budget.in_10_min, flood=budget.flooding)
    context = {"actors": actors, "rate": rate, "budget": budget, "days": days, "reaches": DAYS}
    return page(request, "bad_actors.html", beat, context)


def _silences_page(
    request: Request, wired: Wiring, wanted: dict[str, str], cursor: Cursor | None = None, complaint: str = ""
) -> HTMLResponse:
    beat = wired.pulse.beat()
    with wired.database.read() as session:
        found = silences(session, since=beat.now - OVER, after=cursor)
    context = {
        "silences": found.items,
        "here": address("", cursor=cursor),
        "newest": "/silences" if cursor else None,
        "older": address("/silences", cursor=found.next) if found.next else None,
        "kinds": tuple(SilenceKind),
        "hours": HOURS,
        "repeats": REPEATS,
        "named": NAMED,
        "wanted": wanted,
        "complaint": complaint,
    }
    return page(request, "silences.html", beat, context, 422 if complaint else 200)


def _moment(text: str) -> datetime | None:
    """What a browser sends for a moment: UTC here, without zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
