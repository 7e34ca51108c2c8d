"""Numbers at a glance, each a link to the list behind it."""

from dataclasses import dataclass
from datetime import timedelta

from services.api.health import Standing
from services.api.pulse import Beat
from services.dashboard import words
from services.records import overview
from services.records.session import ReadSession
from services.records.tables import JobState

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Tile:
    """One number: name, value, what it means, the list behind it, and its colour ('' = plain)."""

    name: str
    value: str
    note: str
    href: str
    kind: str = ""


def alert_tiles(session: ReadSession, beat: Beat) -> list[Tile]:
    """What an operator asks first: how bad is it now, and is anything moving at all."""
    day = overview.day(session, since=beat.now - DAY)
    waiting = beat.open_alerts - beat.critical
    unknown = words.percent(day.unknown / day.inspections) if day.inspections else "0 %"
    latency = "no file yet" if day.latency_s is None else f"{words.span(day.latency_s)} from file to verdict"
    return [
        Tile("Critical, open", words.thousands(beat.critical), "act now",
            "/alerts?state=open&severity=critical", "critical"),
        Tile("Others, open", words.thousands(waiting), "wait for someone", "/alerts?state=open", "warning"),
        Tile(
            "Unknown patterns, 24 h", words.thousands(day.unknown), f"{unknown} of what was inspected",
            "/inspections?verdict=unknown", "unknown",
        ),
        Tile("Inspected, 24 h", words.thousands(day.inspections), latency, "/inspections"),
        Tile("In quarantine", words.thousands(beat.set_aside), "files that need a person", "/quarantine", "warning"),
    ]  # fmt: skip


def service_tiles(session: ReadSession, beat: Beat, now: Standing) -> list[Tile]:
    """What a maintainer asks first: does work come in, does it go out, how long does it take."""
    day = overview.day(session, since=beat.now - DAY)
    waiting = now.health.jobs[JobState.QUEUED]
    set_aside = now.health.jobs[JobState.QUARANTINED]
    return [
        Tile("Waiting", words.thousands(waiting), "files in the queue", "/service", "warning" if waiting > 100 else ""),
        Tile("Inspected, 24 h", words.thousands(day.inspections), "captures", "/inspections"),
        Tile(
            "File to verdict", "–" if day.latency_s is None else words.span(day.latency_s),
            "mean of the newest hundred", "/inspections",
        ),
        Tile("Defects, 24 h", words.thousands(day.defects), "with a named pattern", "/inspections?verdict=known"),
        Tile("In quarantine", words.thousands(set_aside), "files that cannot be read", "/quarantine", "warning"),
        Tile("Undelivered", words.thousands(now.health.given_up), "messages nobody took", "/service", "critical"),
    ]  # fmt: skip
