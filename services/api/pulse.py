"""What changed since the last look: asked of the database at most once a second, however many pages listen."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from services.records import overview
from services.records.session import Database
from services.records.views import Marks


@dataclass(frozen=True, slots=True)
class Beat:
    """One look. A topic's mark differs from the one before if and only if something of that topic changed.

    Attributes:
        now: the database's time.
        alerts: mark of the alerts.
        inspections: mark of the inspections.
        jobs: mark of the jobs that are not done.
        open_alerts: how many wait for a person.
        critical: how many of them are critical.
        set_aside: files that could not be inspected.
    """

    now: datetime
    alerts: str
    inspections: str
    jobs: str
    open_alerts: int
    critical: int
    set_aside: int


class Pulse:
    """Looks for all pages of this process."""

    def __init__(self, database: Database, every_s: float = 1.0) -> None:
        self._database = database
        self.every_s = every_s
        self._lock = threading.Lock()
        self._last: tuple[float, Beat] | None = None

    def beat(self) -> Beat:
        """The newest look, at most `every_s` old.

        Raises:
            RetryableError: the database does not answer.
        """
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] >= self.every_s:
                with self._database.read() as session:
                    found = overview.marks(session)
                self._last = (time.monotonic(), _beat(found))
            return self._last[1]

    def forget(self) -> None:
        """Look anew at the next call: something was just changed here, and whoever did it wants to see it."""
        with self._lock:
            self._last = None


def _beat(found: Marks) -> Beat:
    return Beat(
        now=found.at,
        alerts=f"{found.last_alert_at}/{found.last_handled_at}/{found.open_alerts}",
        inspections=f"{found.last_inspection_at}",
        jobs="/".join(f"{state.value}:{number}" for state, number in sorted(found.jobs.items())) + f"/{found.windows}",
        open_alerts=found.open_alerts,
        critical=found.critical,
        set_aside=found.set_aside,
    )
