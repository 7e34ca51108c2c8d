"""The label queue: one capture at a time, one key for each class, the most useful capture first.

People who give a second opinion do not see the first one: two who copy each other are one.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.errors import InputError
from models.domain.label import PEOPLE, Agreement
from services.access.roles import Principal, Role
from services.api.needs import needs
from services.api.problems import NotFoundError
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import address, go_to, page
from services.dashboard.reading import read_verdict
from services.records import queries
from services.records.labelling import Queue, lengths, queue
from services.records.labels import add_labels, names_in_use
from services.records.opinions import agreements, words_about
from services.records.places import recent_values
from services.records.session import ReadSession
from services.records.views import InspectionSummary

AHEAD = 9
"""Captures of the queue that are shown beside the first one."""
KEYS = "123456789qwertyuiopadfghjkl"
"""Hot keys of the classes, in order; s skips, b goes back, x is for something else."""
Text = Annotated[str, Query(max_length=200)]
routes = APIRouter(include_in_schema=False)
QUEUES = {
    Queue.UNCERTAIN: "Uncertain",
    Queue.SECOND: "Second opinion",
    Queue.DISPUTED: "Disputed",
}


@routes.get("/labels")
def label_queue(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    waits_for: Annotated[str, Query(alias="queue", max_length=20)] = Queue.UNCERTAIN.value,
    after: Text = "",
    said: Text = "",
    show: Text = "",
) -> HTMLResponse:
    """The next capture and the buttons for what it may show.

    Args:
        request: for the page.
        wired: parts of this process.
        caller: whose queue it is.
        waits_for: which queue.
        after: the inspection that was skipped or said something about last.
        said: the inspection this person said something about last, to go back to.
        show: an inspection to show first, whatever the queue says.
    """
    return _draw(request, wired, caller, Place(_queue(waits_for), after, said, show))


@routes.post("/labels")
@needs(Role.OPERATOR)
def say(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    inspection: Annotated[str, Form(max_length=64)],
    waits_for: Annotated[str, Form(alias="queue", max_length=20)] = Queue.UNCERTAIN.value,
    name: Annotated[str, Form(max_length=200)] = "",
    other: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Write down what a person says; the next capture follows."""
    which = _queue(waits_for)
    try:
        with wired.database.write() as session:
            add_labels(session, [inspection], name=name or other, author=caller.name)
    except InputError as error:
        return _draw(request, wired, caller, Place(which, show=inspection), complaint=str(error))
    return go_to(address("/labels", queue=which.value, after=inspection, said=inspection))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is in a queue; see `label_queue`."""

    queue: Queue
    after: str = ""
    said: str = ""
    show: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A class to choose and its hot key, '' where keys have run out."""

    name: str
    key: str


def _queue(name: str) -> Queue:
    if name not in set(Queue):
        raise NotFoundError("no such queue", where=f"queue={name[:40]}", expected=" | ".join(Queue))
    return Queue(name)


def _draw(request: Request, wired: Wiring, caller: Principal, place: Place, complaint: str = "") -> HTMLResponse:
    with wired.database.read() as session:
        waiting = _waiting(session, caller, place)
        shown = waiting[0] if waiting else None
        own = queries.gravest(session, shown.id) if shown else ()
        words = words_about(session, shown.capture.id) if shown and place.queue is Queue.DISPUTED else ()
        last = queries.inspection_line(session, place.said) if place.said else None
        choices = _choices(session, wired, shown)
        counts = lengths(session, caller.name)
        counted = agreements(session)
    limits = wired.bundles.limits(shown.bundle.digest, own[0].verdict.likeliest) if shown else None
    context = {
        "shown": shown,
        "coming": waiting[1:],
        "place": place,
        "queues": [(one, text, counts.get(one)) for one, text in QUEUES.items()],
        "choices": choices,
        "opinions": words,
        "last": last,
        "reading": read_verdict(own[0].verdict, shown.normal, limits) if shown else None,
        "agreed": counted.get(Agreement.AGREED, 0),
        "labelled": sum(counted.values()),
        "people": PEOPLE,
        "complaint": complaint,
    }
    return page(request, "labels.html", wired.pulse.beat(), context, 422 if complaint else 200)


def _waiting(session: ReadSession, caller: Principal, place: Place) -> list[InspectionSummary]:
    found = list(
        queue(session, place.queue, reader=caller.name, limit=AHEAD + 1, after=place.after or place.show or None)
    )
    if place.show:
        first = queries.inspection_line(session, place.show)
        if first is None:
            raise NotFoundError("no such inspection", where=place.show[:80], remedy="see /inspections")
        found = [first, *(one for one in found if one.id != first.id)]
    return found[: AHEAD + 1]


def _choices(session: ReadSession, wired: Wiring, shown: InspectionSummary | None) -> list[Choice]:
    """The classes of the bundle that judged it, then what people and other bundles call things."""
    names = [] if shown is None else list(wired.bundles.names(shown.bundle.digest))
    names += [one for one in sorted({*recent_values(session)["label"], *names_in_use(session)}) if one not in names]
    return [Choice(name, KEYS[k] if k < len(KEYS) else "") for k, name in enumerate(names)]
