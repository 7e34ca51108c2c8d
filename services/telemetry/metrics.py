"""All metrics of waferwatch in one place.

Names follow the conventions of Prometheus: one prefix, base units, `_total` on counters, `_seconds` on durations and
`_timestamp_seconds` on points in time. Nothing is labelled by lot, wafer, path or message. What lives in the database
(open alerts, waiting files) is not counted here but read at each scrape: see `services.telemetry.state`.

Several processes share their values through PROMETHEUS_MULTIPROC_DIR (prometheus_client's own mechanism), so gauges
say how they merge and none of them switches a label: a label that once was set stays set.
"""

from datetime import UTC, datetime

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from models.domain.alert import AlertState
from models.domain.capture import Provenance
from models.domain.inspection import BundleRef, Inspection
from models.domain.verdict import Verdict
from services.alerting.drift_rules import FIGURES, Drift
from services.alerting.occurrences import Outcome, Raised
from services.records.route_tables import ShadowOutcome
from services.records.views import AlertSummary
from services.routing.lane import Lane
from services.telemetry.labels import OTHER, BoundedValues

PREFIX = "waferwatch"

_LATENCY_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""File seen to verdict stored: 10 s is the promise to the line, 600 s is a backlog."""
_CLASSIFY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PARSE_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_HTTP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_ACKNOWLEDGE_S = (10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)
_BYTES = tuple(float(4**k) for k in range(5, 16))
_SHARES = tuple(k / 20 for k in range(1, 21))
_NOVELTY_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 4)
_PART = 20
"""Characters of a product, step or tool that a label shows."""
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Every counter, histogram and gauge, bound to one registry.

    Attributes are prometheus_client metrics; the methods translate our own words into several of them at once.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self._patterns, self._rules = BoundedValues(64), BoundedValues(64)
        self._reasons, self._channels = BoundedValues(48), BoundedValues(16)
        self._oddities, self._places = BoundedValues(48), BoundedValues(40)
        self._routes = BoundedValues(32)
        self._define_intake()
        self._define_classification()
        self._define_alerting()
        self._define_http()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, registry=self.registry, buckets=buckets)

    def _latest(self, name: str, text: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, registry=self.registry, multiprocess_mode="mostrecent")

    def _define_intake(self) -> None:
        self.files = self._counter("ingest_files_total", "Files that arrived, by what became of them.", "result")
        self.file_bytes = self._histogram("ingest_file_bytes", "Size of the files that arrived.", _BYTES)
        self.parse_seconds = self._histogram("ingest_parse_duration_seconds", "Reading one file.", _PARSE_S)
        self.defects = self._counter("ingest_defects_total", "Defects read from wafer files.")
        self.quarantined_files = self._counter(
            "ingest_quarantined_total", "Files set aside because they cannot be inspected, by error code.", "reason"
        )

        self.read_warnings = self._counter(
            "read_warnings_total", "Oddities in files that were read nevertheless, by code.", "code"
        )

        self.last_backup = self._latest(
            "last_backup_timestamp_seconds", "When the newest backup of the embedded database was made; 0 = never."
        )
        self.database_sound = self._latest(
            "database_sound", "1 if the last integrity check of the embedded database found nothing wrong."
        )
        self.database_checked = self._latest(
            "database_checked_timestamp_seconds", "When its integrity was last checked; 0 = never."
        )
        self.job_tries = self._counter("job_tries_total", "Tries of jobs, by how they ended.", "outcome")
        self.exhaustions = self._counter(
            "exhausted_total", "Times this machine ran out of something, by what it was.", "resource"
        )

    def _define_classification(self) -> None:
        self.classify_requests = self._counter("classify_requests_total", "Calls of the classifier.", "outcome")
        self.classify_seconds = self._histogram("classify_duration_seconds", "One call of the classifier.", _CLASSIFY_S)
        self.batch_patches = self._histogram("classify_batch_patches", "Patches that met in one batch.", _BATCH)
        self.inspections = self._counter("inspections_total", "Captures judged, by their own verdict.", "verdict")
        self.verdicts = self._counter(
            "verdicts_total",
            "Windows judged, by the label stated; 'unknown' and 'not inspected' where none was.",
            "label",
        )
        self.routed_captures = self._counter(
            "routed_captures_total",
            "Captures by the rule and route that judged them, by verdict; 'failed' where the bundle could not.",
            "rule",
            "route",
            "verdict",
        )
        self.shadow_captures = self._counter(
            "shadow_captures_total", "Captures a challenger looked at, by what became of it.", "route", "outcome"
        )
        self.rollbacks = self._counter(
            "rollbacks_total", "New bundles taken back by the service itself.", "rule", "trouble"
        )
        self.confidence = self._histogram(
            "verdict_confidence_ratio", "Calibrated confidence of each capture's own verdict, 0 to 1.", _SHARES
        )
        self.novelty = self._histogram(
            "verdict_novelty_threshold_ratio",
            "Novelty over the bundle's threshold; above 1 is refused a label.",
            _NOVELTY_SHARES,
        )
        self.wafer_latency = self._histogram(
            "wafer_latency_seconds", "From the file being seen to its verdict being stored.", _LATENCY_S
        )
        self.model_version = self._latest(
            "model_version", "Registry version of the bundle that classifies; 0 was never registered."
        )
        self.origins = self._counter(
            "origin_inspections_total",
            "Captures judged, by where they come from and their own verdict.",
            *("product", "step", "tool", "verdict"),
        )
        self.drift_size = Gauge(
            f"{PREFIX}_drift_size_ratio",
            "How far recent captures moved from held-out ones: stability index of figures, MMD² of looks.",
            ["figure"],
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.drift_chance = Gauge(
            f"{PREFIX}_drift_chance_ratio",
            "Chance of at least that drift if nothing had changed.",
            ["figure"],
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.model_loaded = self._latest("model_loaded_timestamp_seconds", "When the classifying bundle was loaded.")

    def _define_alerting(self) -> None:
        self.alerts_opened = self._counter("alerts_opened_total", "New alerts.", "severity", "rule")
        self.alerts_repeated = self._counter(
            "alerts_repeated_total", "Findings that joined an alert already open.", "severity"
        )
        self.alerts_suppressed = self._counter(
            "alerts_suppressed_total", "Findings that opened no alert: cooling down, or maintenance.", "reason"
        )
        self.alerts_closed = self._counter(
            "alerts_closed_total", "Alerts closed by people, by reason code or state.", "disposition"
        )
        self.acknowledge_delay = self._histogram(
            "alert_acknowledge_delay_seconds", "From an alert's first finding to its acknowledgement.", _ACKNOWLEDGE_S
        )
        self.notifications = self._counter("notifications_total", "Messages sent out.", "channel", "result")

    def _define_http(self) -> None:
        self.requests = self._counter("http_requests_total", "Answers given.", "method", "route", "status")
        self.request_seconds = self._histogram(
            "http_request_duration_seconds", "Time to answer, streams excluded.", _HTTP_S, "method", "route"
        )
        self.live_clients = Gauge(
            f"{PREFIX}_live_clients",
            "Pages that listen to live alerts.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def inspected(self, inspection: Inspection, *, novelty_threshold: float | None, seen_at: datetime | None) -> None:
        """Count one stored inspection.

        Args:
            inspection: what was stored.
            novelty_threshold: the bundle's, in its own unit; None or 0 leaves the novelty histogram alone.
            seen_at: when its file was first seen, UTC with zone; None leaves the latency histogram alone.
        """
        verdict = inspection.verdict
        kind = verdict_kind(verdict, inspection.normal)
        self.inspections.labels(kind).inc()
        self.origins.labels(*self._origin(inspection.capture.provenance), kind).inc()
        for label, count in inspection.counts.items():
            self.verdicts.labels(self._patterns(label)).inc(count)
        for warning in inspection.warnings:
            self.read_warnings.labels(self._oddities(warning.code)).inc()
        self.confidence.observe(verdict.confidence)
        if novelty_threshold:
            self.novelty.observe(max(0.0, verdict.novelty / novelty_threshold))
        if seen_at is not None:
            self.wafer_latency.observe(max(0.0, (datetime.now(UTC) - seen_at).total_seconds()))

    def routed(self, lane: Lane, inspection: Inspection | None) -> None:
        """Count one capture that was sent by rule; `inspection` is None if the bundle could not judge it."""
        if lane.rule:
            verdict = "failed" if inspection is None else verdict_kind(inspection.verdict, inspection.normal)
            self.routed_captures.labels(self._rules(lane.rule), self._routes(lane.route), verdict).inc()

    def shadowed(self, route: str, outcome: ShadowOutcome) -> None:
        """Count one look of a challenger."""
        self.shadow_captures.labels(self._routes(route), outcome.value).inc()

    def rolled_back(self, rule: str, trouble: str) -> None:
        """Count one bundle taken back."""
        self.rollbacks.labels(self._rules(rule), trouble).inc()

    def arrived(self, result: str, size_bytes: int) -> None:
        """Count one file that came: 'taken', 'known', 'refused' or 'over quota'."""
        self.files.labels(result).inc()
        self.file_bytes.observe(size_bytes)

    def tried(self, outcome: str) -> None:
        """Count one try of a job: 'done', 'retry', 'outage', 'quarantined', 'dead', 'given back' or 'lost lease'."""
        self.job_tries.labels(outcome).inc()

    def exhausted(self, resource: str) -> None:
        """Count one time something this machine has ran out: 'disk', 'files', 'memory' or 'connections'."""
        self.exhaustions.labels(resource).inc()

    def _origin(self, origin: Provenance) -> tuple[str, str, str]:
        """Product, step and tool as labels; they are counted together, or a few of each would make thousands."""
        parts = [(part or "none")[:_PART].replace("|", "/") for part in (origin.product, origin.step, origin.tool)]
        place = self._places("|".join(parts)).split("|")
        return (place[0], place[1], place[2]) if len(place) == len(parts) else (OTHER, OTHER, OTHER)

    def backed_up(self, at: datetime) -> None:
        """Note when the newest backup of the embedded database was made."""
        self.last_backup.set(at.timestamp())

    def checked(self, *, sound: bool) -> None:
        """Note what an integrity check of the embedded database said."""
        self.database_sound.set(float(sound))
        self.database_checked.set_to_current_time()

    def quarantined(self, code: str) -> None:
        """Count one file set aside; `code` is the error's kebab-case name."""
        self.files.labels("quarantined").inc()
        self.quarantined_files.labels(self._reasons(code)).inc()

    def alert_raised(self, raised: Raised) -> None:
        """Count one finding of a rule: a new alert, one more of a kind already open, or one nobody needs to hear of."""
        severity = raised.alert.severity.value
        match raised.outcome:
            case Outcome.OPENED:
                self.alerts_opened.labels(severity, self._rules(raised.alert.fingerprint.rule)).inc()
            case Outcome.REPEATED:
                self.alerts_repeated.labels(severity).inc()
            case Outcome.COOLING | Outcome.MAINTENANCE:
                self.alerts_suppressed.labels(raised.outcome.value).inc()

    def decided(self, alert: AlertSummary) -> None:
        """Count what a person made of an alert; `alert` is as it became."""
        if alert.state is AlertState.ACKNOWLEDGED:
            self.acknowledge_delay.observe(max(0.0, (datetime.now(UTC) - alert.first_seen).total_seconds()))
        elif alert.state.is_closed:
            self.alerts_closed.labels((alert.disposition or alert.state).value).inc()

    def drifted(self, drift: Drift) -> None:
        """Note how far what a bundle judges has moved from what it was calibrated on; of the classes the worst."""
        shifts = {what: shift for what, shift in drift.shifts.items() if what in FIGURES}
        looks = [shift for what, shift in drift.shifts.items() if what not in FIGURES]
        if looks:
            shifts["looks"] = min(looks, key=lambda shift: shift.p_value)
        for figure, shift in shifts.items():
            self.drift_size.labels(figure).set(shift.size)
            self.drift_chance.labels(figure).set(shift.p_value)

    def notified(self, channel: str, *, delivered: bool) -> None:
        """Count one message handed to a channel."""
        self.notifications.labels(self._channels(channel), "delivered" if delivered else "failed").inc()

    def bundle_loaded(self, bundle: BundleRef) -> None:
        """Note which bundle classifies from now on."""
        self.model_version.set(float(bundle.version) if bundle.version.isdigit() else 0.0)
        self.model_loaded.set_to_current_time()


def verdict_kind(verdict: Verdict, normal: str | None) -> str:
    """One of 'normal', 'defect', 'unknown', 'not inspected': four words, whatever the bundle's classes are."""
    if verdict.is_unknown:
        return "unknown"
    if verdict.label is None:
        return "not inspected"
    return "normal" if verdict.label == normal else "defect"
