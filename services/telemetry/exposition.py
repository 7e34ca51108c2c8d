"""The text of /metrics: this process's metrics, its neighbours' (PROMETHEUS_MULTIPROC_DIR) and the state of record.

What waits, is open or is set aside is read from the database at each scrape: a gauge that counts up and down in
processes that die is wrong after the first death.
"""

import os
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from models.domain.alert import AlertState, Severity
from models.domain.errors import RetryableError
from services.priority import Priority
from services.records.queries import NOT_OVER
from services.records.views import Health
from services.telemetry.metrics import PREFIX

CONTENT_TYPE = CONTENT_TYPE_LATEST
HealthSource = Callable[[], Health]


class StateCollector(Collector):
    """Gauges of what the database holds; `waferwatch_database_up` is 0 and the others are absent while it is away."""

    def __init__(self, health: HealthSource, budget: float) -> None:
        self._health, self._budget = health, budget

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: registering must not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the state now."""
        try:
            health = self._health()
        except RetryableError:
            yield GaugeMetricFamily(f"{PREFIX}_database_up", _UP, value=0)
            return
        yield GaugeMetricFamily(f"{PREFIX}_database_up", _UP, value=1)
        jobs = GaugeMetricFamily(
            f"{PREFIX}_jobs", "Files that are not done, by how far their inspection is.", labels=["state"]
        )
        for state in NOT_OVER:
            jobs.add_metric([state.value], health.jobs.get(state, 0))
        yield jobs
        alerts = GaugeMetricFamily(f"{PREFIX}_alerts_open", "Alerts that are not closed.", labels=["severity", "state"])
        for severity in Severity:
            for alert_state in (AlertState.OPEN, AlertState.ACKNOWLEDGED):
                alerts.add_metric([severity.value, alert_state.value], health.alerts.get((severity, alert_state), 0))
        yield alerts
        yield _since(
            "ingest_oldest_pending",
            "Since when the oldest file waits that is no backfill; 0 = none.",
            health.oldest_queued_at,
        )
        queued = GaugeMetricFamily(f"{PREFIX}_queued_files", "Files that wait, by priority.", labels=["priority"])
        oldest = GaugeMetricFamily(
            f"{PREFIX}_queue_oldest_timestamp_seconds", "Since when the oldest waits; 0 = none.", labels=["priority"]
        )
        for priority in Priority:
            number, since = health.queued.get(priority, (0, None))
            queued.add_metric([priority.value], number)
            oldest.add_metric([priority.value], since.timestamp() if since else 0.0)
        yield queued
        yield oldest
        yield _since("outbox_oldest", "Since when the oldest unsent message waits; 0 = none.", health.oldest_unsent_at)
        yield GaugeMetricFamily(f"{PREFIX}_outbox_unsent_messages", "Messages not yet sent.", value=health.unsent)
        yield GaugeMetricFamily(
            f"{PREFIX}_alert_budget_used_ratio",
            "Alerts opened in ten minutes over what the operators can answer in them (EEMUA 191); 10 is a flood.",
            value=health.opened / self._budget,
        )
        yield GaugeMetricFamily(
            f"{PREFIX}_outbox_undeliverable_messages", "Messages that no receiver took.", value=health.given_up
        )


_UP = "1 if the database answered this scrape."


def _since(name: str, text: str, moment: datetime | None) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}_timestamp_seconds", text, value=moment.timestamp() if moment else 0.0)


def expose(registry: CollectorRegistry, health: HealthSource, budget: float = 1.0) -> bytes:
    """All metrics as text.

    Args:
        registry: of this process; not read if several processes share PROMETHEUS_MULTIPROC_DIR, which it is part of.
        health: reads the state of record.
        budget: alerts that the operators together can answer in ten minutes.
    """
    state = CollectorRegistry(auto_describe=False)
    state.register(StateCollector(health, budget))
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(state)
