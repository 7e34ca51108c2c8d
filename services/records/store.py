"""Domain types to rows. Nothing here commits: the use case that calls does."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from models.domain.capture import Capture
from models.domain.inspection import Inspection, Looks
from models.domain.verdict import Verdict
from services.records.heat import add_heat
from services.records.session import WriteSession
from services.records.tables import (
    CaptureRow,
    InspectionRow,
    LooksRow,
    OpinionRow,
    SpotRow,
    VerdictRow,
    table_of,
)
from services.records.upsert import insert_new


def is_recorded(session: Session, inspection_id: str) -> bool:
    """Whether this capture was judged with this bundle already."""
    return session.scalar(select(InspectionRow.id).where(InspectionRow.id == inspection_id)) is not None


def has_judged(session: Session, job_id: int, capture_id: str) -> bool:
    """Whether an earlier try of this job judged the capture, with whatever bundle its route meant then."""
    wanted = select(InspectionRow.id).where(InspectionRow.capture_id == capture_id, InspectionRow.job_id == job_id)
    return session.scalar(wanted.limit(1)) is not None


def add_inspection(
    session: WriteSession,
    inspection: Inspection,
    *,
    sha256: str,
    job_id: int,
    fence: int,
    at: datetime,
    rule: str | None = None,
    route: str | None = None,
    of_the_past: bool = False,
) -> bool:
    """Write an inspection with its capture and verdicts; False if the same one was written before.

    Args:
        session: the transaction it belongs to.
        inspection: what was found.
        sha256: the source file of the capture; must be a row.
        job_id: the job that found it.
        fence: with which claim.
        at: the database's time.
        rule: of the routing that chose the bundle, if one did.
        route: along which the bundle was found.
        of_the_past: rules over several captures shall not see it among the newest.
    """
    is_first = insert_new(session, CaptureRow, CaptureRow.id, **_capture(inspection.capture), sha256=sha256)
    whole = inspection.verdict
    is_new = insert_new(
        session,
        InspectionRow,
        InspectionRow.id,
        id=inspection.id,
        capture_id=inspection.capture.id,
        job_id=job_id,
        fence=fence,
        bundle_name=inspection.bundle.name,
        bundle_version=inspection.bundle.version,
        bundle_digest=inspection.bundle.digest,
        normal=inspection.normal,
        started_at=inspection.started_at,
        duration_s=inspection.duration_s,
        recorded_at=at,
        label=whole.label,
        confidence=whole.confidence,
        novelty=whole.novelty,
        reason=whole.reason,
        windows=inspection.windows,
        counts=dict(inspection.counts),
        counted=inspection.counted,
        warnings=[asdict(warning) for warning in inspection.warnings],
        rule=rule,
        route=route,
        is_first=is_first and not of_the_past,
        shown=dict(inspection.shown),
        refused=sorted(inspection.refused),
        is_labelled=not is_first and session.get(OpinionRow, inspection.capture.id) is not None,
    )
    if is_new:
        session.execute(
            insert(table_of(VerdictRow)),
            [
                verdict_values(verdict) | {"inspection_id": inspection.id, "ordinal": ordinal, "recorded_at": at}
                for ordinal, verdict in enumerate(inspection.verdicts)
            ],
        )
        if inspection.looks is not None:
            looks = _looks(inspection.looks)
            session.execute(insert(table_of(LooksRow)), {"inspection_id": inspection.id, **looks})
        add_heat(session, inspection)
        _add_spots(session, inspection, sha256, at)
    return is_new


def _add_spots(session: WriteSession, inspection: Inspection, sha256: str, at: datetime) -> None:
    for spot in inspection.spots:
        cut_out = spot.cut_out(inspection.capture)
        insert_new(session, CaptureRow, CaptureRow.id, **_capture(cut_out), sha256=sha256)
        said = {name: value for name, value in verdict_values(spot.verdict).items() if name in table_of(SpotRow).c}
        row = {"inspection_id": inspection.id, "capture_id": cut_out.id, "recorded_at": at, **_looks(spot.looks)}
        session.execute(insert(table_of(SpotRow)), said | row)


def _looks(looks: Looks) -> dict[str, bytes]:
    return {name: getattr(looks, name).astype("<f4").tobytes() for name in ("embedding", "shape")}


def verdict_values(verdict: Verdict) -> dict[str, object]:
    """A verdict as column values."""
    window = verdict.window
    return {
        "level": window.level.index,
        "level_height": window.level.height,
        "level_width": window.level.width,
        "top": window.top,
        "left": window.left,
        "height": window.height,
        "width": window.width,
        "label": verdict.label,
        "confidence": verdict.confidence,
        "novelty": verdict.novelty,
        "reason": verdict.reason,
        "likeliest": verdict.likeliest,
        "runner_up": verdict.runner_up,
        "runner_up_confidence": verdict.runner_up_confidence,
        "also": list(verdict.also),
    }


def _capture(capture: Capture) -> dict[str, object]:
    origin = capture.provenance
    place = capture.georeference
    return {
        "id": capture.id,
        "kind": capture.kind,
        "name": capture.name,
        "height": capture.height,
        "width": capture.width,
        "lot": origin.lot,
        "wafer": origin.wafer,
        "slot": origin.slot,
        "product": origin.product,
        "step": origin.step,
        "tool": origin.tool,
        "inspected_at": origin.inspected_at,
        "crs_wkt": None if place is None else place.crs_wkt,
        "transform": None if place is None else list(place.transform),
    }
