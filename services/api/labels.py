"""GET and POST /labels, /label-queue: what people say captures show; training takes its truth from here."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from models.domain.label import PEOPLE, Agreement
from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of
from services.api.schemas import PREFIX, Answer, Asked, InspectionAnswer, Listing
from services.api.wiring import Caller, Wired
from services.records.labelling import Queue, queue
from services.records.labels import Labelled, add_labels, labels
from services.records.opinions import LabelledCapture
from services.records.opinions import opinions as opinions_of
from services.records.views import Cursor

routes = APIRouter(prefix=PREFIX, tags=["labels"])


class LabelAnswer(Answer):
    """The newest word about one capture."""

    capture: str
    sha256: str = Field(description="The file it is in.")
    capture_name: str
    lot: str | None = Field(description="Split data by it: lots must not be torn apart.")
    label: str = Field(examples=["Comet"])
    author: str
    note: str
    at: datetime

    @classmethod
    def of(cls, view: Labelled) -> "LabelAnswer":
        """From the line of the list."""
        return cls(
            capture=view.capture_id,
            sha256=view.sha256,
            capture_name=view.capture_name,
            lot=view.lot,
            label=view.name,
            author=view.author,
            note=view.note,
            at=view.at,
        )


class OpinionAnswer(Answer):
    """What people make of one capture."""

    capture: str
    sha256: str = Field(description="The file it is in.")
    capture_name: str
    lot: str | None = Field(description="Split data by it: lots must not be torn apart.")
    label: str = Field(description="What most of them say.", examples=["Comet"])
    supporters: int = Field(description="How many say so.")
    people: int = Field(description="How many said anything.")
    agreement: Agreement

    @classmethod
    def of(cls, view: LabelledCapture) -> "OpinionAnswer":
        """From the records."""
        found = view.opinion
        return cls(
            capture=view.capture_id, sha256=view.sha256, capture_name=view.capture_name, lot=view.lot,
            label=found.name, supporters=found.supporters, people=found.people, agreement=found.agreement,
        )  # fmt: skip


class Naming(Asked):
    """A name for what some inspections' captures show."""

    inspections: list[str] = Field(min_length=1, max_length=1000)
    label: str = Field(min_length=1, max_length=80, examples=["Comet"])
    note: str = Field("", max_length=2000)


class Named(Answer):
    """How many captures were named."""

    captures: int


@routes.get("/label-queue")
def label_queue(
    *,
    wired: Wired,
    caller: Caller,
    waits_for: Annotated[Queue, Query(alias="queue")] = Queue.UNCERTAIN,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Listing[InspectionAnswer]:
    """Inspections whose captures you should label next: `uncertain`, `second` opinion wanted, or `disputed`."""
    with wired.database.read() as session:
        behind = None if cursor is None else cursor.id
        found = queue(session, waits_for, reader=caller.name, limit=limit + 1, after=behind)
    end = Cursor(found[limit - 1].recorded_at, found[limit - 1].id) if len(found) > limit else None
    return Listing(items=[InspectionAnswer.of(one) for one in found[:limit]], next=end and str(end))


@routes.get("/labels/opinions")
def opinions(
    wired: Wired,
    people: Annotated[int, Query(ge=1, le=9, description="How many must say the same to agree.")] = PEOPLE,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Listing[OpinionAnswer]:
    """Every labelled capture with what people make of it; data sets take those that are `agreed`."""
    with wired.database.read() as session:
        page = opinions_of(session, people, limit=limit, after=cursor)
    return Listing(items=[OpinionAnswer.of(one) for one in page.items], next=next_of(page))


@routes.get("/labels")
def newest_words(wired: Wired, limit: Limit = 50, cursor: PageCursor = None) -> Listing[LabelAnswer]:
    """The newest word about every capture somebody named, the last one said first."""
    with wired.database.read() as session:
        page = labels(session, limit=limit, after=cursor)
    return Listing(items=[LabelAnswer.of(one) for one in page.items], next=next_of(page))


@routes.post("/labels", status_code=201, responses={404: {"description": "No such inspection."}})
@needs(Role.OPERATOR)
def name_captures(naming: Naming, wired: Wired, caller: Caller) -> Named:
    """Say what captures show. Nothing is overwritten: the newest word counts, the others stay."""
    with wired.database.write() as session:
        return Named(
            captures=add_labels(session, naming.inspections, name=naming.label, author=caller.name, note=naming.note)
        )
