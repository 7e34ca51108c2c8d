"""The service page: is everything running, for plants without Grafana; and the API described for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.api.health import Standing, Workers, standing
from services.api.wiring import Wired, Wiring
from services.dashboard import charts, words
from services.dashboard.glance import Tile, service_tiles
from services.dashboard.looks import page
from services.records.quality import Span
from services.records.rates import Rate, rates

REACH, STEP = timedelta(hours=2), timedelta(minutes=5)
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, the colour of that, and what it means for the operator."""

    name: str
    state: str
    kind: str
    meaning: str


@routes.get("/service")
def service(request: Request, wired: Wired) -> HTMLResponse:
    """How the service does."""
    now, beat = standing(wired), wired.pulse.beat()
    with wired.database.read() as session:
        tiles: list[Tile] = service_tiles(session, beat, now)
        found = rates(session, _last(beat.now), STEP)
    checks = _checks(wired, now)
    bad = [check for check in checks if check.kind in ("warning", "critical")]
    context = {
        "summary": "Everything is running." if not bad else "; ".join(f"{one.name}: {one.state}" for one in bad) + ".",
        "tiles": tiles,
        "checks": checks,
        "sparks": _sparks(found),
        "spark_frame": (charts.SPARK_WIDTH, charts.SPARK_HEIGHT),
        "jobs": now.health.jobs,
        "places": _places(wired),
    }
    return page(request, "service.html", beat, context)


def _last(now: datetime) -> Span:
    """The last two hours in whole steps, the one under way among them."""
    begun = int(now.timestamp() // STEP.total_seconds()) * STEP.total_seconds()
    until = datetime.fromtimestamp(begun, now.tzinfo) + STEP
    return Span(until - REACH, until)


def _sparks(found: Sequence[Rate]) -> list[charts.Spark]:
    whole = words.thousands
    return [
        charts.spark("Files in", "in 5 min", [(one.since, one.arrived) for one in found], whole),
        charts.spark("Captures judged", "in 5 min", [(one.since, one.judged) for one in found], whole, "normal"),
        charts.spark("File to verdict", "mean", [(one.since, one.latency_s) for one in found], words.span),
        charts.spark("New alerts", "in 5 min", [(one.since, one.alerts) for one in found], whole, "unknown"),
        charts.spark("Files set aside", "in 5 min", [(one.since, one.failed) for one in found], whole, "defect"),
    ]


_WORKERS = {
    Workers.IDLE: ("idle", "normal", "Nothing waits to be inspected."),
    Workers.BUSY: ("at work", "normal", "Files are being inspected."),
    Workers.SLOW: ("about to start", "info", "Files wait; an inspector should take them within seconds."),
    Workers.SILENT: ("silent", "critical", "Files wait and nobody takes them: look whether the inspectors run."),
}


def _checks(wired: Wiring, now: Standing) -> list[Check]:
    health = now.health
    state, kind, meaning = _WORKERS[now.workers]
    found = [
        Check("Database", "answers", "normal", "PostgreSQL" if not wired.database.is_sqlite else "SQLite, one file")
    ]
    warning = wired.database.sqlite_warning()
    if warning:
        found.append(Check("SQLite", "old", "info", warning))
    found.append(Check("Inspectors", state, kind, meaning))
    if health.oldest_queued_at is not None:
        waited = (health.at - health.oldest_queued_at).total_seconds()
        found.append(
            Check("Oldest waiting file", words.span(waited), "warning" if waited > 600 else "info", "since it arrived")
        )
    if health.given_up:
        found.append(
            Check(
                "Messages", f"{words.thousands(health.given_up)} undelivered", "critical",
                "A receiver refused them for good: those alerts were told to nobody outside.",
            )
        )  # fmt: skip
    elif health.unsent:
        found.append(Check("Messages", f"{words.thousands(health.unsent)} to send", "info", "They are tried again."))
    else:
        found.append(Check("Messages", "all sent", "normal", "Every alert reached the channels that are set up."))
    return found


def _places(wired: Wiring) -> list[tuple[str, str]]:
    settings = wired.settings
    return [
        ("Watch folder", str(settings.watch_dir)),
        ("Spool", str(settings.spool_dir)),
        ("Database", wired.database.url.render_as_string(hide_password=True)),
        ("Metrics", "/metrics"),
    ]
