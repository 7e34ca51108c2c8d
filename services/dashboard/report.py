"""The shift report: what a shift leaves to the next one, as a page to read or print, and as tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.alert import AlertState
from models.domain.errors import InputError
from services.api.wiring import Wired, Wiring
from services.dashboard import charts
from services.dashboard.csv_file import csv_answer
from services.dashboard.looks import address, page
from services.records import queries
from services.records.journal import journal
from services.records.labels import labels
from services.records.quality import Deed, Share, Span, alerts_of_span, deeds, shares
from services.records.queries import InspectionFilter
from services.records.views import AlertSummary, JobSummary, in_utc

SHIFT = timedelta(hours=8)
LONGEST = timedelta(days=31)
_YEARS = (1970, 9000)
"""Whose moments can be looked behind and ahead of."""
Text = Annotated[str, Query(max_length=40)]
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Shift:
    """Everything of one stretch of time."""

    over: Span
    shares: tuple[Share, ...]
    alerts: tuple[AlertSummary, ...]
    deeds: tuple[Deed, ...]
    files: tuple[JobSummary, ...]

    @property
    def left_open(self) -> tuple[AlertSummary, ...]:
        """What the next shift inherits."""
        return tuple(one for one in self.alerts if one.state in (AlertState.OPEN, AlertState.ACKNOWLEDGED))

    @property
    def closed(self) -> tuple[AlertSummary, ...]:
        """What this shift closed."""
        return tuple(one for one in self.alerts if one not in self.left_open)


@routes.get("/report")
def report(request: Request, wired: Wired, since: Text = "", until: Text = "") -> HTMLResponse:
    """The report as a page; without times, of the last eight hours."""
    beat = wired.pulse.beat()
    shift = _shift(wired, _span(since, until, beat.now))
    over = shift.over
    context = {
        "shift": shift,
        "pareto": charts.pareto(shift.shares),
        "total": sum(one.captures for one in shift.shares),
        "failing": sum(one.captures for one in shift.shares if not one.normal),
        "csv": address("/report.csv", since=over.since.isoformat(), until=over.until.isoformat()),
        "earlier": address("/report", since=(over.since - SHIFT).isoformat(), until=over.since.isoformat()),
    }
    return page(request, "report.html", beat, context)


@routes.get("/report.csv")
def report_csv(wired: Wired, since: Text = "", until: Text = "") -> Response:
    """The alerts of the report as a table."""
    shift = _shift(wired, _span(since, until, wired.pulse.beat().now))
    head = (
        "alert", "state", "severity", "rule", "pattern", "product", "step", "tool", "captures", "first seen",
        "last seen", "assigned to", "handled by", "reason", "title",
    )  # fmt: skip
    rows = (
        (
            one.id, one.state.value, one.severity.value, one.rule, one.pattern, one.product, one.step, one.tool,
            one.count, one.first_seen.isoformat(), one.last_seen.isoformat(), one.assigned_to, one.handled_by,
            one.disposition and one.disposition.value, one.title,
        )
        for one in shift.alerts
    )  # fmt: skip
    return csv_answer(f"shift-{shift.over.since:%Y%m%dT%H%M}.csv", head, rows)


@routes.get("/audit")
def audit(request: Request, wired: Wired, since: Text = "", until: Text = "") -> HTMLResponse:
    """Who did what, for the last 31 days if no times are given."""
    beat = wired.pulse.beat()
    over = _span(since, until, beat.now, LONGEST)
    with wired.database.read() as session:
        found = deeds(session, over)
        entries = journal(session, over=over, limit=500)
    csv = address("/audit.csv", since=over.since.isoformat(), until=over.until.isoformat())
    return page(request, "audit.html", beat, {"deeds": found, "entries": entries, "over": over, "csv": csv})


@routes.get("/audit.csv")
def audit_csv(wired: Wired, since: Text = "", until: Text = "") -> Response:
    """The same as a table with the hashes that chain each alert's events: keep exports elsewhere."""
    over = _span(since, until, wired.pulse.beat().now, LONGEST)
    with wired.database.read() as session:
        found = deeds(session, over, limit=100_000)
    head = ("at", "alert", "number", "actor", "before", "after", "note", "title", "hash")
    rows = (
        (
            one.at.isoformat(), one.alert_id, one.number, one.actor, one.before and one.before.value, one.after.value,
            one.note, one.title, one.hash,
        )
        for one in found
    )  # fmt: skip
    return csv_answer(f"audit-{over.since:%Y%m%d}-{over.until:%Y%m%d}.csv", head, rows)


@routes.get("/labels.csv")
def labels_csv(wired: Wired) -> Response:
    """What people said captures show: the newest word about each."""
    with wired.database.read() as session:
        found = labels(session, limit=None).items
    head = ("capture", "sha256", "name", "lot", "label", "author", "at", "note")
    rows = (
        (one.capture_id, one.sha256, one.capture_name, one.lot, one.name, one.author, one.at.isoformat(), one.note)
        for one in found
    )
    return csv_answer("labels.csv", head, rows)


def _shift(wired: Wiring, over: Span) -> Shift:
    with wired.database.read() as session:
        files = queries.quarantine(session, limit=200).items
        return Shift(
            over=over,
            shares=shares(session, over, InspectionFilter()),
            alerts=alerts_of_span(session, over),
            deeds=deeds(session, over),
            files=tuple(one for one in files if over.since <= one.created_at < over.until),
        )


def _span(since: str, until: str, now: datetime, default: timedelta = SHIFT) -> Span:
    end = _moment(until) if until else now
    begin = _moment(since) if since else end - default
    if not timedelta(0) < end - begin <= LONGEST:
        raise InputError(
            "not a stretch of time", expected=f"since before until, at most {LONGEST.days} days apart",
            got=f"{begin.isoformat()} to {end.isoformat()}",
        )  # fmt: skip
    return Span(begin, end)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        moment = in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError as error:
        raise InputError("not a moment", expected="2026-03-01T06:00:00+00:00", got=text) from error
    if not _YEARS[0] <= moment.year < _YEARS[1]:
        raise InputError("not a moment wafers are of", expected=f"a year from {_YEARS[0]} on", got=text)
    return moment
