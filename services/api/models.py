"""GET /models, POST /models/{version}/promotion: what the registry holds, and who judges from now on."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from models.domain.errors import InputError, RetryableError
from pipelines.registry import Version
from services.access.roles import Principal, Role
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of, page_of
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, Answer, Asked, Listing
from services.api.wiring import Caller, Wired, Wiring
from services.records.journal import write_down
from services.records.views import Cursor

routes = APIRouter(prefix=f"{PREFIX}/models", tags=["models"])


class VersionAnswer(Answer):
    """One registered bundle."""

    version: str = Field(examples=["3"])
    digest: str
    data_fingerprint: str = Field(description="Of the dataset it was trained on.")
    registered_at: datetime
    aliases: list[str] = Field(examples=[["champion"]])
    gate: str = Field(description="passed | forced | refused; empty if nobody asked it.", examples=["passed"])
    reasons: list[str] = Field(description="What spoke against it.")
    against: str | None = Field(description="The version it was compared with.")
    figures: dict[str, float] = Field(examples=[{"test.macro_f1": 0.88}])
    against_figures: dict[str, float] = Field(description="Of the other version, on the same data.")

    @classmethod
    def of(cls, view: Version) -> "VersionAnswer":
        """From the registry."""
        return cls(
            version=view.number, digest=view.digest, data_fingerprint=view.data_fingerprint,
            registered_at=view.registered_at, aliases=list(view.aliases), gate=view.gate, reasons=list(view.reasons),
            against=view.against, figures=dict(view.figures), against_figures=dict(view.against_figures),
        )  # fmt: skip


class Promotion(Asked):
    """A decision about who judges."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seen": "2", "note": ""}]})

    seen: str | None = Field(description="The version that held the alias when you decided; null if none did.")
    note: str = Field("", max_length=2000, description="Why; needed if the gate refused the version.")


@routes.get("", responses={503: {"description": "The registry does not answer, and never did."}})
def versions(wired: Wired, limit: Limit = 50, cursor: PageCursor = None) -> Listing[VersionAnswer]:
    """The versions of the model, the newest first; the last known ones while the registry is away."""
    found = wired.models.look()
    if found.as_of is None:
        raise RetryableError("the registry does not answer", got=found.complaint)
    page = page_of(found.versions, lambda one: Cursor(one.registered_at, one.number), limit=limit, after=cursor)
    return Listing(items=[VersionAnswer.of(one) for one in page.items], next=next_of(page))


@routes.post(
    "/{version}/promotion",
    responses={
        404: {"description": "No such version."},
        409: {"description": "Another one holds the alias than you saw."},
    },
)
@needs(Role.ENGINEER)
def promote(version: str, promotion: Promotion, wired: Wired, caller: Caller) -> VersionAnswer:
    """Let a version judge from now on; running services follow within seconds. To roll back, promote the one before."""
    return VersionAnswer.of(promote_version(wired, caller, version, seen=promotion.seen, note=promotion.note))


def promote_version(wired: Wiring, caller: Principal, number: str, *, seen: str | None, note: str) -> Version:
    """Promote a version and write down who did it and why: both or neither.

    Raises:
        NotFoundError: no such version.
        InputError: the gate refused it and nobody says why it shall judge all the same; or another one holds the alias.
        RetryableError: registry or database do not answer.
    """
    chosen = find_version(wired, number)
    if chosen.gate == "refused" and not note.strip():
        raise InputError(
            "the gate refused this version", where=f"version {number}", expected="a note that says why it shall judge",
            got="none", code="note-missing",
        )  # fmt: skip
    with wired.database.write() as session:
        write_down(
            session, actor=caller.name, deed="promoted", subject=f"model {wired.models.name} version {number}",
            alias=wired.models.alias, before=seen, after=number, gate=chosen.gate, note=note.strip(),
        )  # fmt: skip
        wired.models.promote(number, seen)  # last: if it fails, nothing was written down
    return find_version(wired, number)


def find_version(wired: Wiring, number: str) -> Version:
    """One version.

    Raises:
        NotFoundError: there is none.
        RetryableError: the registry does not answer, and never did.
    """
    found = wired.models.look()
    if found.as_of is None:
        raise RetryableError("the registry does not answer", got=found.complaint)
    chosen = next((one for one in found.versions if one.number == number), None)
    if chosen is None:
        raise NotFoundError("no such version", where=number[:20], remedy="see /models")
    return chosen
