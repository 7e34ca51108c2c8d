"""Rows to domain types and views, one function each."""

from models.domain.capture import Capture, Georeference, Provenance, ReadWarning
from models.domain.errors import Complaint
from models.domain.inspection import BundleRef
from models.domain.tiling import Level, Window
from models.domain.verdict import Verdict
from services.records.alert_tables import AlertEventRow, AlertRow
from services.records.tables import CaptureRow, InspectionRow, JobRow, SourceFileRow, SpotRow, VerdictRow
from services.records.views import AlertEvent, AlertSummary, InspectionSummary, JobSummary


def capture(row: CaptureRow) -> Capture:
    """The capture as it was when it was recorded."""
    georeference = None
    if row.crs_wkt is not None and row.transform is not None:
        a, b, c, d, e, f = row.transform
        georeference = Georeference(row.crs_wkt, (a, b, c, d, e, f))
    return Capture(
        id=row.id,
        kind=row.kind,
        name=row.name,
        height=row.height,
        width=row.width,
        provenance=Provenance(
            lot=row.lot,
            wafer=row.wafer,
            slot=row.slot,
            product=row.product,
            step=row.step,
            tool=row.tool,
            inspected_at=row.inspected_at,
        ),
        georeference=georeference,
    )


def window(row: VerdictRow | SpotRow) -> Window:
    """Where a verdict or an unknown place is."""
    return Window(Level(row.level, row.level_height, row.level_width), row.top, row.left, row.height, row.width)


def verdict(row: VerdictRow) -> Verdict:
    """The verdict as it was stated."""
    return Verdict(
        window=window(row),
        label=row.label,
        confidence=row.confidence,
        novelty=row.novelty,
        reason=row.reason,
        likeliest=row.likeliest,
        runner_up=row.runner_up,
        runner_up_confidence=row.runner_up_confidence,
        also=tuple(row.also),
    )


def inspection_summary(row: InspectionRow, of: CaptureRow, source: SourceFileRow) -> InspectionSummary:
    """A line of the list."""
    return InspectionSummary(
        id=row.id,
        capture=capture(of),
        sha256=source.sha256,
        file_name=source.name,
        job_id=row.job_id,
        bundle=BundleRef(row.bundle_name, row.bundle_version, row.bundle_digest),
        normal=row.normal,
        label=row.label,
        confidence=row.confidence,
        novelty=row.novelty,
        reason=row.reason,
        windows=row.windows,
        counts=row.counts,
        counted=row.counted,
        warnings=tuple(ReadWarning(**one) for one in row.warnings or ()),
        started_at=row.started_at,
        duration_s=row.duration_s,
        recorded_at=row.recorded_at,
        received_at=source.received_at,
    )


def alert_summary(row: AlertRow) -> AlertSummary:
    """A line of the list."""
    return AlertSummary(
        id=row.id,
        rule=row.rule,
        pattern=row.pattern,
        product=row.product,
        step=row.step,
        tool=row.tool,
        severity=row.severity,
        state=row.state,
        title=row.title,
        action=row.action,
        inspection_id=row.inspection_id,
        job_id=row.job_id,
        count=row.count,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        version=row.version,
        handled_by=row.handled_by,
        handled_at=row.handled_at,
        assigned_to=row.assigned_to,
        disposition=row.disposition,
    )


def event(row: AlertEventRow) -> AlertEvent:
    """A line of an alert's history."""
    return AlertEvent(row.number, row.at, row.actor, row.before, row.after, row.note, row.request)


def job_summary(row: JobRow, inspection_ids: tuple[str, ...]) -> JobSummary:
    """A job; its source must be loaded."""
    return JobSummary(
        id=row.id,
        sha256=row.sha256,
        file_name=row.source.name,
        size_bytes=row.source.size_bytes,
        route=row.route,
        state=row.state,
        sender=row.sender,
        priority=row.priority,
        attempts=row.attempts,
        windows_done=row.windows_done,
        created_at=row.created_at,
        not_before=row.not_before,
        finished_at=row.finished_at,
        error_code=row.error_code,
        error=complaint(row),
        inspection_ids=inspection_ids,
    )


def complaint(row: JobRow) -> Complaint | None:
    """Why the last try of a job failed, in parts; None if it did not."""
    if row.error_what is None:
        return None
    return Complaint(
        row.error_what,
        row.error_where or "",
        row.error_expected or "",
        row.error_got or "",
        row.error_remedy or "",
    )
