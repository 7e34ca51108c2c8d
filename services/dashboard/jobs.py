"""Files on their way: what waits and what runs, and what people do about it: hurry, let wait, give up, try again."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import PageCursor
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import address, go_to, own, page, part
from services.dashboard.pages import FILES_SHOWN, Part, Text
from services.jobs import cancel, hurry, retry
from services.priority import Priority
from services.records import queries
from services.records.journal import write_down
from services.records.tables import JobState

STATES = {
    "waiting": ("On their way", (JobState.QUEUED, JobState.RUNNING)),
    "done": ("Done", (JobState.DONE,)),
    "set-aside": ("Set aside", (JobState.QUARANTINED, JobState.DEAD)),
    "cancelled": ("Cancelled", (JobState.CANCELLED,)),
}
routes = APIRouter(include_in_schema=False)


@routes.get("/jobs")
def jobs(
    *,
    request: Request,
    wired: Wired,
    cursor: PageCursor = None,
    part_: Part = None,
    state: Text = "waiting",
) -> HTMLResponse:
    """Files by what becomes of them, the newest first."""
    beat = wired.pulse.beat()
    state = state if state in STATES else "waiting"
    with wired.database.read() as session:
        found = queries.jobs(session, states=STATES[state][1], limit=FILES_SHOWN, after=cursor)
    context = {
        "jobs": found.items,
        "now": beat.now,
        "back": address("/jobs", state=state, cursor=cursor),
    }
    if part_:
        return part(request, "job_rows.html", context)
    context |= {
        "state": state,
        "states": {name: title for name, (title, _) in STATES.items()},
        "cursor": cursor and str(cursor),
        "older": address("/jobs", state=state, cursor=found.next) if found.next else None,
    }
    return page(request, "jobs.html", beat, context)


@routes.post("/jobs/{job_id}/priority")
@needs(Role.OPERATOR)
def change_priority(
    job_id: int, wired: Wired, caller: Caller, to: Annotated[Priority, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Another place in the queue: a lot is held, or can wait after all."""
    with wired.database.write() as session:
        hurry(session, job_id, to)
        write_down(session, actor=caller.name, deed=f"job made {to.value}", subject=f"job {job_id}")
    return _back(wired, job_id, back)


@routes.post("/jobs/{job_id}/cancel")
@needs(Role.ENGINEER)
def give_up(job_id: int, wired: Wired, caller: Caller, back: Annotated[str, Form()] = "") -> Response:
    """Give a file up that is not wanted any more, or that was seen to by other means."""
    with wired.database.write() as session:
        cancel(session, job_id)
        write_down(session, actor=caller.name, deed="job cancelled", subject=f"job {job_id}")
    return _back(wired, job_id, back)


@routes.post("/jobs/{job_id}/retry")
@needs(Role.OPERATOR)
def try_again(job_id: int, wired: Wired, caller: Caller) -> Response:
    """Give a file in quarantine another try."""
    with wired.database.write() as session:
        retry(session, job_id)
        write_down(session, actor=caller.name, deed="job retried", subject=f"job {job_id}")
    return _back(wired, job_id)


def _back(wired: Wiring, job_id: int, back: str = "") -> Response:
    wired.pulse.forget()
    return go_to(own(back) if back else f"/jobs/{job_id}")
