"""Jobs: what waits, who brought it, and what people do with it: hurry, cancel, inspect again with another bundle."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of
from services.api.problems import NotFoundError
from services.api.routing import route_at
from services.api.schemas import PREFIX, Answer, Asked, JobAnswer, Listing, Moment
from services.api.wiring import Caller, Wired, Wiring
from services.jobs import cancel, hurry
from services.jobs.reinspecting import FILES_AT_ONCE, Wish, reinspect
from services.priority import Priority
from services.records import queries
from services.records.journal import write_down
from services.records.queries import InspectionFilter
from services.records.tables import JobState
from services.routing.routing import ROUTE_PATTERN

MOST_FILES = 10_000
routes = APIRouter(prefix=PREFIX, tags=["jobs"])


class Hurry(Asked):
    """How urgent a job is from now on."""

    priority: Priority = Field(strict=False)


class Reinspection(Asked):
    """Which inspections shall be made again, and with what; what is null does not matter."""

    bundle: str = Field(
        pattern=ROUTE_PATTERN, description="Digest of an installed bundle, or a route.", examples=["champion"]
    )
    lot: str | None = None
    product: str | None = None
    step: str | None = None
    tool: str | None = None
    label: str | None = Field(None, description="The capture's own label.")
    unknown: bool | None = Field(None, description="True: refused a label; false: given one.")
    since: Moment | None = Field(None, description="Recorded from then on, with zone.")
    until: Moment | None = Field(None, description="Recorded before, with zone.")
    priority: Priority = Field(Priority.BACKFILL, strict=False)
    dry_run: bool = Field(False, description="Count only.")


class ReinspectionAnswer(Answer):
    """What came of it; `more` says that there are further files: ask again."""

    bundle: str = Field(description="Digest of the bundle that judges.")
    files: int
    jobs: int = Field(description="How many of them were not asked for before.")
    more: bool


@routes.get("/jobs")
def jobs(
    *,
    wired: Wired,
    state: Annotated[list[JobState] | None, Query(description="States; none given means all.")] = None,
    sender: Annotated[str | None, Query(description="Who brought the file.")] = None,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Listing[JobAnswer]:
    """Jobs, the newest first."""
    with wired.database.read() as session:
        page = queries.jobs(session, states=state or list(JobState), sender=sender, limit=limit, after=cursor)
    return Listing(items=[JobAnswer.of(one) for one in page.items], next=next_of(page))


_REFUSALS: dict[int | str, dict[str, str]] = {
    404: {"description": "No such job."},
    409: {"description": "It is in a state in which this cannot be done."},
}


@routes.post("/jobs/{job_id}/cancel", responses=_REFUSALS)
@needs(Role.ENGINEER)
def give_up(job_id: int, wired: Wired, caller: Caller) -> JobAnswer:
    """Give a job up that is not wanted any more, or that failed and was seen to by other means."""
    with wired.database.write() as session:
        cancel(session, job_id)
        write_down(session, actor=caller.name, deed="job cancelled", subject=f"job {job_id}")
    return _after(wired, job_id)


@routes.post("/jobs/{job_id}/priority", responses=_REFUSALS)
@needs(Role.OPERATOR)
def change_priority(job_id: int, wish: Hurry, wired: Wired, caller: Caller) -> JobAnswer:
    """Give a waiting job another place in the queue: a lot is held, or can wait after all."""
    with wired.database.write() as session:
        hurry(session, job_id, wish.priority)
        write_down(session, actor=caller.name, deed=f"job made {wish.priority.value}", subject=f"job {job_id}")
    return _after(wired, job_id)


@routes.post(
    "/reinspections",
    responses={404: {"description": "No such route."}, 503: {"description": "Nothing was released to it yet."}},
)
@needs(Role.ENGINEER)
def inspect_again(wish: Reinspection, wired: Wired, caller: Caller) -> ReinspectionAnswer:
    """Inspect what was inspected before with another bundle, at most 10,000 files a call, the newest first.

    Alerts count a capture once, with whatever bundle: none is repeated.
    """
    digest = route_at(wired, wish.bundle).manifest.ref.digest
    which = InspectionFilter(wish.lot, wish.tool, wish.product, wish.step, wish.label, wish.unknown)
    wanted = Wish(digest, which, wish.since, wish.until, sender=caller.name, priority=wish.priority)
    at_most = MOST_FILES // FILES_AT_ONCE
    parts = list(islice(reinspect(wired.database, wanted, dry=wish.dry_run), at_most))
    answer = ReinspectionAnswer(
        bundle=digest,
        files=sum(one.files for one in parts),
        jobs=sum(one.jobs for one in parts),
        more=len(parts) == at_most,
    )
    if not wish.dry_run:
        with wired.database.write() as session:
            write_down(session, actor=caller.name, deed="reinspection", subject=f"bundle {digest}", jobs=answer.jobs)
    wired.pulse.forget()
    return answer


def _after(wired: Wiring, job_id: int) -> JobAnswer:
    wired.pulse.forget()
    with wired.database.read() as session:
        found = queries.job(session, job_id)
    if found is None:
        raise NotFoundError("no such job", where=str(job_id))
    return JobAnswer.of(found)
