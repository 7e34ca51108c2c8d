"""GET and POST /labels: what people say captures show; training takes its truth from here."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas import PREFIX, Answer
from services.api.wiring import Caller, Wired
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


class Naming(BaseModel):
    """A name for what some inspections' captures show."""

    model_config = ConfigDict(strict=True, extra="forbid")

    inspections: list[str] = Field(min_length=1, max_length=1000)
    label: str = Field(min_length=1, max_length=80, examples=["Comet"])
    note: str = Field("", max_length=2000)


class Named(Answer):
    """How many captures were named."""

    captures: int


@routes.get("/labels")
def labelled(wired: Wired) -> list[LabelAnswer]:
    """The newest word about every capture somebody named, the last one said first."""
    with wired.database.read() as session:
        return [LabelAnswer.of(one) for one in labels(session)]


@routes.post("/labels", status_code=201, responses={404: {"description": "No such inspection."}})
def name_captures(naming: Naming, wired: Wired, caller: Caller) -> Named:
    """Say what captures show. Nothing is overwritten: the newest word counts, the others stay."""
    with wired.database.write() as session:
        return Named(
            captures=add_labels(session, naming.inspections, name=naming.label, author=caller.name, note=naming.note)
        )
