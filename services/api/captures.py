"""POST /captures: a file goes in. Done when it is safe, not when it is judged, unless the client wants to wait."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response, UploadFile
from fastapi.concurrency import run_in_threadpool

from models.domain.errors import InputError
from services.access.roles import Role
from services.api.needs import needs
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, InspectionAnswer, JobAnswer, UploadAnswer
from services.api.wiring import Accepted, Caller, Wired, Wiring
from services.intake.receiving import key_of
from services.priority import Priority
from services.records import queries
from services.records.tables import JobState
from services.records.views import InspectionSummary, JobSummary

MAX_WAIT_S = 120.0
_FINISHED = (JobState.DONE, JobState.DEAD, JobState.QUARANTINED, JobState.CANCELLED)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"description": "The file is larger than WAFERWATCH_UPLOAD_LIMIT_BYTES."},
    422: {"description": "The file cannot be inspected (only when waited for): it is in quarantine, with this reason."},
    429: {"description": "Too many files of this sender wait (WAFERWATCH_QUOTA_FILES): send it later."},
    503: {"description": "The database or the disk is not available now; nothing was taken in."},
}
routes = APIRouter(prefix=PREFIX, tags=["captures"])


@routes.post(
    "/captures",
    status_code=202,
    responses={200: {"model": UploadAnswer, "description": "Judged within the time waited."}, **_PROBLEMS},
)
@needs(Role.INGEST)
async def upload(
    *,
    response: Response,
    wired: Wired,
    caller: Caller,
    file: UploadFile,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the verdicts.")] = 0,
    priority: Annotated[Priority, Query(description="'held' goes before everything else, 'backfill' behind.")] = (
        Priority.NORMAL
    ),
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> UploadAnswer:
    """Take a file in for inspection.

    The same content is inspected once, however often it is sent; an `Idempotency-Key` additionally makes repeats of
    the same request one arrival. `Location` names the job.
    """
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1] or "upload"
    arrival = key_of("upload", caller.name, idempotency_key) if idempotency_key else None
    accepted = await run_in_threadpool(
        wired.accept, file.file, name=name, sender=caller.name, arrival=arrival, priority=priority
    )
    job = await _settled(wired, accepted, wait)
    if wait and job.state is JobState.QUARANTINED and job.error is not None:
        reason = job.error
        raise InputError(
            reason.what, where=reason.where, expected=reason.expected, got=reason.got, remedy=reason.remedy,
            code=job.error_code or "",
        )  # fmt: skip
    found = await run_in_threadpool(_inspections, wired, job)
    response.headers["Location"] = f"{PREFIX}/jobs/{job.id}"
    if wait and job.state is JobState.DONE:
        response.status_code = 200
    return UploadAnswer(
        job=JobAnswer.of(job),
        known_before=not accepted.is_new,
        inspections=[InspectionAnswer.of(one) for one in found],
    )


@routes.get("/jobs/{job_id}", responses={404: {"description": "No such job."}})
@needs(Role.VIEWER, Role.INGEST)
def job(job_id: int, wired: Wired) -> JobAnswer:
    """How far the inspection of a file is."""
    return JobAnswer.of(_job(wired, job_id))


async def _settled(wired: Wiring, accepted: Accepted, wait_s: float) -> JobSummary:
    """The job when it is finished, or as it is after `wait_s` seconds."""
    deadline, pause_s = time.monotonic() + wait_s, 0.05
    while True:
        found = await run_in_threadpool(_job, wired, accepted.job_id)
        if found.state in _FINISHED or time.monotonic() >= deadline:
            return found
        await asyncio.sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
        pause_s = min(0.5, pause_s * 1.5)


def _job(wired: Wiring, job_id: int) -> JobSummary:
    with wired.database.read() as session:
        found = queries.job(session, job_id)
    if found is None:
        raise NotFoundError("no such job", where=str(job_id))
    return found


def _inspections(wired: Wiring, of: JobSummary) -> list[InspectionSummary]:
    with wired.database.read() as session:
        found = [queries.inspection_line(session, one) for one in of.inspection_ids]
    return [one for one in found if one is not None]
