"""GET and POST /labels, /label-queue: what people say captures show; training takes its truth from here."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from models.domain.label import PEOPLE, Agreement
from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import Limit
from services.api.schemas import PREFIX, Answer, InspectionAnswer
from services.api.wiring import Caller, Wired
from services.records.labelling import LabelledCapture, Queue, labelled, queue
from services.records.labels import Labelled, add_labels, labels

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


class Naming(BaseModel):
    """A name for what some inspections' captures show."""

    model_config = ConfigDict(strict=True, extra="forbid")

    inspections: list[str] = Field(min_length=1, max_length=1000)
    label: str = Field(min_length=1, max_length=80, examples=["Comet"])
    note: str = Field("", max_length=2000)


class Named(Answer):
    """How many captures were named."""

    captures: int


@routes.get("/label-queue")
def label_queue(
    wired: Wired, caller: Caller, waits_for: Annotated[Queue, Query(alias="queue")] = Queue.UNCERTAIN, limit: Limit = 50
) -> list[InspectionAnswer]:
    """Inspections whose captures you should label next: `uncertain`, `second` opinion wanted, or `disputed`."""
    with wired.database.read() as session:
        return [InspectionAnswer.of(one) for one in queue(session, waits_for, reader=caller.name, limit=limit)]


@routes.get("/labels/opinions")
def opinions(
    wired: Wired,
    people: Annotated[int, Query(ge=1, le=9, description="How many must say the same to agree.")] = PEOPLE,
) -> list[OpinionAnswer]:
    """Every labelled capture with what people make of it; data sets take those that are `agreed`."""
    with wired.database.read() as session:
        return [OpinionAnswer.of(one) for one in labelled(session, people)]


@routes.get("/labels")
def newest_words(wired: Wired) -> list[LabelAnswer]:
    """The newest word about every capture somebody named, the last one said first."""
    with wired.database.read() as session:
        return [LabelAnswer.of(one) for one in labels(session)]


@routes.post("/labels", status_code=201, responses={404: {"description": "No such inspection."}})
@needs(Role.OPERATOR)
def name_captures(naming: Naming, wired: Wired, caller: Caller) -> Named:
    """Say what captures show. Nothing is overwritten: the newest word counts, the others stay."""
    with wired.database.write() as session:
        return Named(
            captures=add_labels(session, naming.inspections, name=naming.label, author=caller.name, note=naming.note)
        )
