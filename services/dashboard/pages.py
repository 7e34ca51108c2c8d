"""The pages operators look at: alerts, one alert, inspections, one inspection, quarantine, one file."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.alert import AlertState, Disposition, Severity
from services.alerting.history import first_broken
from services.api.bundle_shelf import Limits
from services.api.klarf_copy import can_be_judged
from services.api.paging import PageCursor
from services.api.problems import NotFoundError
from services.api.wiring import Wired, Wiring
from services.dashboard.glance import alert_tiles
from services.dashboard.looks import address, go_to, page, part
from services.dashboard.reading import Reading, read_verdict, rows
from services.records import queries
from services.records.commonality import commonality_of
from services.records.labels import label_of, names_in_use
from services.records.places import recent_values
from services.records.queries import LIVE, AlertFilter, InspectionFilter
from services.records.silences import silences_of
from services.records.views import InspectionSummary, NumberedVerdict

ALERTS_SHOWN = 50
WAFERS_SHOWN = 48
FILES_SHOWN = 50
ROWS_SHOWN = 200
STATES = {
    "live": ("Needs you", LIVE),
    "open": ("Open", (AlertState.OPEN,)),
    "acknowledged": ("Acknowledged", (AlertState.ACKNOWLEDGED,)),
    "silenced": ("Silenced", LIVE),
    "closed": ("Closed", (AlertState.RESOLVED, AlertState.FALSE_ALARM)),
    "all": ("All", tuple(AlertState)),
}
_SILENCED = {"live": False, "silenced": True}
"""Whether a list is of silenced alerts, of others, or of both."""
Text = Annotated[str, Query(max_length=200)]
Part = Annotated[str | None, Query(alias="part")]
"""Given where an open page asks for its list alone."""
routes = APIRouter(include_in_schema=False)


@routes.get("/")
def home() -> Response:
    """Alerts come first."""
    return go_to("/alerts")


@routes.get("/alerts")
def alerts(
    *,
    request: Request,
    wired: Wired,
    cursor: PageCursor = None,
    part_: Part = None,
    state: Text = "live",
    severity: Text = "",
    pattern: Text = "",
    product: Text = "",
    step: Text = "",
    tool: Text = "",
) -> HTMLResponse:
    """The list of alerts, filtered by its address."""
    if state not in STATES:
        raise NotFoundError("no such state", where=f"state={state}", expected=" | ".join(STATES))
    which = AlertFilter(
        severity=Severity(severity) if severity in set(Severity) else None,
        pattern=pattern or None,
        product=product or None,
        step=step or None,
        tool=tool or None,
    )
    beat = wired.pulse.beat()
    with wired.database.read() as session:
        found = queries.alerts(
            session,
            states=STATES[state][1],
            which=which,
            silenced=_SILENCED.get(state),
            limit=ALERTS_SHOWN,
            after=cursor,
        )
        tiles = [] if part_ else alert_tiles(session, beat)
    query = {"state": state, "severity": severity, "pattern": pattern, "product": product, "step": step, "tool": tool}
    context = {
        "alerts": found.items,
        "now": beat.now,
        "state": state,
        "filtered": bool(which.conditions()),
        "watch_dir": wired.settings.watch_dir,
        "back": address("/alerts", **query),
    }
    if part_:
        return part(request, "alert_rows.html", context)
    context |= {
        "which": which,
        "tiles": tiles,
        "states": [(value, text) for value, (text, _) in STATES.items()],
        "severities": [one.value for one in Severity],
        "after": cursor and str(cursor),
        "older": address("/alerts", **query, cursor=found.next) if found.next else None,
    }
    return page(request, "alerts.html", beat, context)


@routes.get("/alerts/{alert_id}")
def alert(alert_id: int, request: Request, wired: Wired) -> HTMLResponse:
    """One alert: the picture, the reason, what to do, what was done."""
    return alert_page(request, wired, alert_id)


def alert_page(request: Request, wired: Wiring, alert_id: int, stale: str = "") -> HTMLResponse:
    """Draw an alert; `stale` tells why a change was refused (the answer is then 409).

    Raises:
        NotFoundError: there is no such alert.
    """
    with wired.database.read() as session:
        detail = queries.alert(session, alert_id)
        if detail is None:
            raise NotFoundError("no such alert", where=str(alert_id), remedy="see /alerts")
        chain_whole = first_broken(session, alert_id) is None
        own = queries.gravest(session, detail.inspection.id) if detail.inspection else ()
        quiet = silences_of(session, detail.summary)
        shared = commonality_of(session, detail.summary)
    context = {
        "alert": detail.summary,
        "quiet": quiet,
        "shared": shared,
        "detail": detail,
        "chain_whole": chain_whole,
        "reading": _read(wired, detail.inspection, own) if detail.inspection else None,
        "stale": stale,
        "dispositions": tuple(Disposition),
    }
    return page(request, "alert.html", wired.pulse.beat(), context, 409 if stale else 200)


def _limits(wired: Wiring, shown: InspectionSummary, own: tuple[NumberedVerdict, ...]) -> Limits | None:
    return wired.bundles.limits(shown.bundle.digest, own[0].verdict.likeliest)


def _read(wired: Wiring, shown: InspectionSummary, own: tuple[NumberedVerdict, ...]) -> Reading:
    return read_verdict(own[0].verdict, shown.normal, _limits(wired, shown, own))


@routes.get("/inspections")
def inspections(
    *,
    request: Request,
    wired: Wired,
    cursor: PageCursor = None,
    part_: Part = None,
    verdict: Text = "",
    label: Text = "",
    lot: Text = "",
    product: Text = "",
    step: Text = "",
    tool: Text = "",
) -> HTMLResponse:
    """The gallery of inspections, filtered by its address."""
    which = InspectionFilter(
        lot=lot or None,
        tool=tool or None,
        product=product or None,
        step=step or None,
        label=label or None,
        unknown={"unknown": True, "known": False}.get(verdict),
    )
    beat = wired.pulse.beat()
    with wired.database.read() as session:
        found = queries.inspections(session, which=which, limit=WAFERS_SHOWN, after=cursor)
        choices = {} if part_ else recent_values(session)
    context = {
        "inspections": found.items,
        "now": beat.now,
        "filtered": bool(which.conditions()),
        "watch_dir": wired.settings.watch_dir,
    }
    if part_:
        return part(request, "inspection_rows.html", context)
    query = {"verdict": verdict, "label": label, "lot": lot, "product": product, "step": step, "tool": tool}
    context |= {
        "which": which,
        "choices": choices,
        "verdict": verdict,
        "stack_url": address("/stack", **query),
        "after": cursor and str(cursor),
        "older": address("/inspections", **query, cursor=found.next) if found.next else None,
    }
    return page(request, "inspections.html", beat, context)


@routes.get("/inspections/{inspection_id}")
def inspection(inspection_id: str, request: Request, wired: Wired) -> HTMLResponse:
    """One inspection: the map, the verdict and why, where it comes from, by which bundle."""
    with wired.database.read() as session:
        shown = queries.inspection_line(session, inspection_id)
        if shown is None:
            raise NotFoundError("no such inspection", where=inspection_id[:80], remedy="see /inspections")
        listed = queries.gravest(session, inspection_id, limit=ROWS_SHOWN)
        part_of = queries.alerts_of(session, inspection_id)
        word = label_of(session, shown.capture.id)
        known = names_in_use(session)
    context = {
        "shown": shown,
        "alerts": part_of,
        "word": word,
        "known": known,
        "limits": _limits(wired, shown, listed),
        "reading": _read(wired, shown, listed),
        "windows": rows(listed, shown.normal),
        "is_klarf": can_be_judged(wired, shown.sha256),
        "windows_left_out": len(listed) == ROWS_SHOWN,
    }
    return page(request, "inspection.html", wired.pulse.beat(), context)


@routes.get("/quarantine")
def quarantine(request: Request, wired: Wired, cursor: PageCursor = None, part_: Part = None) -> HTMLResponse:
    """Files that could not be inspected, with their reasons."""
    beat = wired.pulse.beat()
    with wired.database.read() as session:
        found = queries.quarantine(session, limit=FILES_SHOWN, after=cursor)
    context = {"jobs": found.items, "now": beat.now}
    if part_:
        return part(request, "quarantine_rows.html", context)
    context |= {
        "after": cursor and str(cursor),
        "older": address("/quarantine", cursor=found.next) if found.next else None,
    }
    return page(request, "quarantine.html", beat, context)


@routes.get("/jobs/{job_id}")
def job(job_id: int, request: Request, wired: Wired, part_: Part = None) -> HTMLResponse:
    """One file on its way: how far it is, and what was found in it."""
    beat = wired.pulse.beat()
    with wired.database.read() as session:
        found = queries.job(session, job_id)
        if found is None:
            raise NotFoundError("no such file", where=str(job_id), remedy="see /inspections")
        made = [queries.inspection_line(session, one) for one in found.inspection_ids[:WAFERS_SHOWN]]
    context = {"job": found, "inspections": [one for one in made if one is not None], "now": beat.now, "back": ""}
    if part_:
        return part(request, "job_state.html", context)
    return page(request, "job.html", beat, context)
