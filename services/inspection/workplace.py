"""What a worker needs besides a classifier."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from models.domain.inspection import Inspection
from pipelines.ingestion import Limits, ReadOptions
from services.alerting.occurrences import Raised
from services.alerting.policy import AlertPolicy
from services.intake.spool import Spool
from services.jobs import LeasePolicy
from services.records.route_tables import ShadowOutcome
from services.records.session import Database
from services.routing.history import CurrentRouting
from services.routing.lane import Lane


class Observer(Protocol):
    """Told of what was committed, for metrics."""

    def inspected(self, inspection: Inspection, *, novelty_threshold: float | None, seen_at: datetime | None) -> None:
        """An inspection was recorded of a file asked for at `seen_at`."""

    def tried(self, outcome: str) -> None:
        """A try ended: 'done', 'retry', 'outage', 'quarantined', 'dead', 'given back' or 'lost lease'."""

    def quarantined(self, code: str) -> None:
        """A job was quarantined or is dead."""

    def alert_raised(self, raised: Raised) -> None:
        """A finding counted: in a new alert, in an open one, or as one that nobody needs to hear of."""

    def routed(self, lane: Lane, inspection: Inspection | None) -> None:
        """A capture went along a lane; None if the bundle there could not judge it."""

    def shadowed(self, route: str, outcome: ShadowOutcome) -> None:
        """A challenger had its look."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a worker works.

    Attributes:
        database: where jobs come from and inspections go.
        spool: where the files are.
        owner: the worker's name in the table of jobs.
        policy: leases and tries.
        alerting: which inspections become alerts, and who is told.
        limits: how much a file may ask for.
        options: what files do not say of themselves.
        observer: counts.
        routing: sends jobs of the installation's own route by rule; None = every job goes along its own.
    """

    database: Database
    spool: Spool
    owner: str
    policy: LeasePolicy = field(default_factory=LeasePolicy)
    alerting: AlertPolicy = field(default_factory=AlertPolicy)
    limits: Limits | None = None
    options: ReadOptions | None = None
    observer: Observer | None = None
    routing: CurrentRouting | None = None
