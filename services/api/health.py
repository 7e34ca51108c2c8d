"""Is it alive, is it ready, how does it do: /healthz, /readyz, /metrics."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from fastapi import APIRouter, Response

from models.domain.errors import RetryableError
from services.access.roles import Role
from services.alerting.rule_file import rules_at
from services.api.needs import needs, open_to_all
from services.api.schemas import Answer
from services.api.wiring import Wired, Wiring
from services.records import queries
from services.records.tables import JobState
from services.records.views import Health
from services.telemetry.exposition import CONTENT_TYPE, expose

routes = APIRouter(tags=["health"])


class Workers(StrEnum):
    """What the inspectors seem to do, as far as the job table shows."""

    IDLE = "idle"
    """Nothing waits."""
    BUSY = "busy"
    """At least one file is being inspected."""
    SLOW = "slow"
    """Files wait, none is worked on, but not for long yet."""
    SILENT = "silent"
    """Files wait and nobody takes them: the inspectors are down."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of the service in one look: the numbers, and what they say about the inspectors."""

    health: Health
    workers: Workers


class Alive(Answer):
    """The process answers."""

    status: str = "ok"


class Ready(Answer):
    """Whether operators can work (database) and files are being inspected (workers)."""

    status: str
    database: str
    workers: Workers | None
    waiting_files: int | None


def standing(wired: Wiring) -> Standing:
    """How the service stands.

    Raises:
        RetryableError: the database does not answer.
    """
    with wired.database.read() as session:
        health = queries.health(session)
    return Standing(health, _workers(health, timedelta(seconds=2 * wired.settings.lease_s)))


def _workers(health: Health, patience: timedelta) -> Workers:
    if health.jobs[JobState.RUNNING]:
        return Workers.BUSY
    if health.oldest_queued_at is None:
        return Workers.IDLE
    return Workers.SILENT if health.at - health.oldest_queued_at > patience else Workers.SLOW


@routes.get("/healthz")
@open_to_all
def healthz() -> Alive:
    """200 while the process lives; looks at nothing else, so that an outage elsewhere does not restart it."""
    return Alive()


@routes.get("/readyz", responses={503: {"model": Ready, "description": "The database does not answer."}})
@needs(Role.VIEWER, Role.METRICS)
def readyz(wired: Wired, response: Response) -> Ready:
    """200 if pages can be served and alerts acknowledged; silent inspectors are told, but do not make it unready."""
    try:
        now = standing(wired)
    except RetryableError:
        response.status_code = 503
        return Ready(status="not ready", database="away", workers=None, waiting_files=None)
    status = "degraded" if now.workers is Workers.SILENT else "ready"
    return Ready(status=status, database="up", workers=now.workers, waiting_files=now.health.jobs[JobState.QUEUED])


@routes.get("/metrics", response_class=Response)
@needs(Role.METRICS)
def metrics(wired: Wired) -> Response:
    """For Prometheus."""
    budget = rules_at(wired.settings.rules).budget.in_10_min
    body = expose(wired.metrics.registry, lambda: standing(wired).health, budget)
    return Response(body, media_type=CONTENT_TYPE)
