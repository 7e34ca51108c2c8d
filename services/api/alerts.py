"""GET /alerts and what people decide about them. Who changes an alert names the version they saw (409 if it is old)."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Response

from models.domain.alert import AlertState, Severity
from models.domain.errors import InputError
from services.access.roles import Role
from services.alerting.handling import assign_alert, change_alert, comment_alert
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of
from services.api.problems import NotFoundError
from services.api.schemas import (
    PREFIX,
    AlertAnswer,
    AlertChange,
    AlertDetailAnswer,
    Assignment,
    Comment,
    CommonalityAnswer,
    Listing,
)
from services.api.wiring import Caller, Wired
from services.records import queries
from services.records.commonality import commonality_of
from services.records.queries import LIVE, AlertFilter

routes = APIRouter(prefix=f"{PREFIX}/alerts", tags=["alerts"])


class Decision(StrEnum):
    """What a person decides about an alert."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    FALSE_ALARM = "false-alarm"
    REOPEN = "reopen"


_LEADS_TO = {
    Decision.ACKNOWLEDGE: AlertState.ACKNOWLEDGED,
    Decision.RESOLVE: AlertState.RESOLVED,
    Decision.FALSE_ALARM: AlertState.FALSE_ALARM,
    Decision.REOPEN: AlertState.OPEN,
}


@routes.get("")
def alerts(
    *,
    wired: Wired,
    limit: Limit = 50,
    cursor: PageCursor = None,
    state: Annotated[list[AlertState] | None, Query(description="Default: open and acknowledged.")] = None,
    severity: Severity | None = None,
    pattern: str | None = None,
    product: str | None = None,
    step: str | None = None,
    tool: str | None = None,
    silenced: Annotated[bool | None, Query(description="Only silenced ones, or none of them.")] = None,
) -> Listing[AlertAnswer]:
    """Alerts, the most recently seen first."""
    which = AlertFilter(severity=severity, pattern=pattern, product=product, step=step, tool=tool)
    with wired.database.read() as session:
        page = queries.alerts(session, states=state or LIVE, which=which, silenced=silenced, limit=limit, after=cursor)
    return Listing(items=[AlertAnswer.of(one) for one in page.items], next=next_of(page))


@routes.get("/{alert_id}", responses={404: {"description": "No such alert."}})
def alert(alert_id: int, wired: Wired, response: Response) -> AlertDetailAnswer:
    """One alert with its history and the newest inspections that show it; its ETag is its version."""
    with wired.database.read() as session:
        found = queries.alert(session, alert_id)
    if found is None:
        raise NotFoundError("no such alert", where=str(alert_id), remedy=f"see {PREFIX}/alerts")
    response.headers["ETag"] = f'"{found.summary.version}"'
    return AlertDetailAnswer.of_detail(found)


@routes.get("/{alert_id}/commonality", responses={404: {"description": "No such alert."}})
def commonality(alert_id: int, wired: Wired) -> list[CommonalityAnswer]:
    """What the wafers that show the alert's pattern share beyond chance, the surest first.

    Affected and unaffected wafers of the same time are compared, whatever their tool (Fisher's exact test, one-sided,
    false discoveries at most 5 %). Tool, step and product are counted in lots.
    """
    with wired.database.read() as session:
        found = queries.alert(session, alert_id, occurrences=0)
        if found is None:
            raise NotFoundError("no such alert", where=str(alert_id), remedy=f"see {PREFIX}/alerts")
        return [CommonalityAnswer(**asdict(one)) for one in commonality_of(session, found.summary)]


_CHANGES: dict[int | str, dict[str, str]] = {
    404: {"description": "No such alert."},
    409: {"description": "It was changed since you looked, or cannot become that any more."},
    428: {"description": "Name the version you saw."},
}
IfMatch = Annotated[str | None, Header(description="The version you saw, as the ETag gave it.")]


@routes.post("/{alert_id}/assignment", responses=_CHANGES)
@needs(Role.OPERATOR)
def assign(
    *,
    alert_id: int,
    wired: Wired,
    caller: Caller,
    response: Response,
    assignment: Assignment,
    if_match: IfMatch = None,
) -> AlertAnswer:
    """Say who works on an alert; an empty name takes the assignment back."""
    version = assignment.version if assignment.version is not None else _version(if_match)
    with wired.database.write() as session:
        changed = assign_alert(session, alert_id, version=version, to=assignment.to, actor=caller.name)
    response.headers["ETag"] = f'"{changed.version}"'
    return AlertAnswer.of(changed)


@routes.post("/{alert_id}/comments", responses={404: _CHANGES[404]})
@needs(Role.OPERATOR)
def comment(alert_id: int, wired: Wired, caller: Caller, said: Comment) -> AlertAnswer:
    """Add a note to an alert's history; needs no version, because it changes nothing."""
    with wired.database.write() as session:
        return AlertAnswer.of(comment_alert(session, alert_id, text=said.text, actor=caller.name))


@routes.post("/{alert_id}/{decision}", responses=_CHANGES)
@needs(Role.OPERATOR)
def decide(
    *,
    alert_id: int,
    decision: Decision,
    wired: Wired,
    caller: Caller,
    response: Response,
    change: Annotated[AlertChange | None, Body()] = None,
    if_match: IfMatch = None,
) -> AlertAnswer:
    """Acknowledge, resolve, call false or reopen an alert; the decision and its author are kept for ever."""
    change = change or AlertChange()
    version = change.version if change.version is not None else _version(if_match)
    with wired.database.write() as session:
        changed = change_alert(
            session,
            alert_id,
            version=version,
            to=_LEADS_TO[decision],
            actor=caller.name,
            note=change.note,
            disposition=change.disposition,
        )
    wired.metrics.decided(changed)
    response.headers["ETag"] = f'"{changed.version}"'
    return AlertAnswer.of(changed)


def _version(if_match: str | None) -> int:
    text = (if_match or "").strip().removeprefix("W/").strip('"').partition("-")[0]
    if not text.isdecimal():
        raise InputError(
            "version of the alert is missing",
            where="If-Match header, or `version` in the body",
            expected="the number you saw",
            got=repr(if_match) if if_match else "nothing",
            code="version-missing",
        )
    return int(text)
