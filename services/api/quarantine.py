"""GET /quarantine: files that could not be inspected, with their reasons; and another try for them."""

from fastapi import APIRouter

from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of
from services.api.schemas import PREFIX, JobAnswer, Listing
from services.api.wiring import Caller, Wired
from services.jobs import retry
from services.records import queries
from services.records.journal import write_down

routes = APIRouter(prefix=PREFIX, tags=["quarantine"])


@routes.get("/quarantine")
def quarantine(wired: Wired, limit: Limit = 50, cursor: PageCursor = None) -> Listing[JobAnswer]:
    """Files set aside, the newest first: `quarantined` (the input is wrong) and `dead` (every try failed)."""
    with wired.database.read() as session:
        page = queries.quarantine(session, limit=limit, after=cursor)
    return Listing(items=[JobAnswer.of(one) for one in page.items], next=next_of(page))


@routes.post(
    "/jobs/{job_id}/retry",
    responses={404: {"description": "No such job."}, 409: {"description": "It did not fail."}},
)
@needs(Role.OPERATOR)
def try_again(job_id: int, wired: Wired, caller: Caller) -> JobAnswer:
    """Put a file that failed back into the queue: after a bug fix, or with a new bundle."""
    with wired.database.write() as session:
        retry(session, job_id)
        write_down(session, actor=caller.name, deed="job retried", subject=f"job {job_id}")
    wired.pulse.forget()
    with wired.database.read() as session:
        found = queries.job(session, job_id)
    assert found is not None
    return JobAnswer.of(found)
