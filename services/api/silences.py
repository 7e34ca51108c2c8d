"""/silences: known trouble and announced maintenance that nobody wants to hear of: who, why, until when."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from models.domain.alert import SilenceKind
from services.access.roles import Role
from services.alerting.silencing import Wish, add_silence, end_silence
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of
from services.api.schemas import PREFIX, Answer, Asked, Listing, Moment
from services.api.wiring import Caller, Wired
from services.records.session import now
from services.records.silences import Silence, silences

routes = APIRouter(prefix=f"{PREFIX}/silences", tags=["alerts"])


class SilenceWish(Asked):
    """What shall be quiet: everything named must fit, and at least one thing must be named."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tool": "SP5-02", "until": "2026-03-01T18:00:00+00:00", "reason": "chuck is being replaced"}]
        },
    )

    reason: str = Field(min_length=1, max_length=2000, description="Why; kept.")
    until: Moment = Field(description="When it ends; at most 30 days ahead.")
    starts_at: Moment | None = Field(None, description="When it begins; null = now.")
    kind: SilenceKind = Field(SilenceKind.SILENCE, strict=False, description="Maintenance opens no alert at all.")
    every_days: int | None = Field(None, ge=1, le=366, description="Maintenance that comes back; null = once.")
    rule: str | None = Field(None, examples=["pattern"])
    pattern: str | None = Field(None, examples=["Scratch"])
    product: str | None = None
    step: str | None = None
    tool: str | None = Field(None, examples=["SP5-02"])


class SilenceAnswer(Answer):
    """A silence or a maintenance window."""

    id: int
    kind: SilenceKind
    active: bool = Field(description="Whether it holds now.")
    rule: str | None
    pattern: str | None
    product: str | None
    step: str | None
    tool: str | None
    starts_at: datetime
    until: datetime
    every_days: int | None
    author: str
    reason: str
    created_at: datetime
    ended_by: str | None = Field(description="Who ended it early.")
    held_back: int = Field(description="Findings that opened no alert because of it.")

    @classmethod
    def of(cls, view: Silence, at: datetime) -> "SilenceAnswer":
        """From the view of the records."""
        return cls(
            id=view.id, kind=view.kind, active=view.is_active(at), rule=view.rule, pattern=view.pattern,
            product=view.product, step=view.step, tool=view.tool, starts_at=view.starts_at, until=view.until,
            every_days=view.every_days, author=view.author, reason=view.reason, created_at=view.created_at,
            ended_by=view.ended_by, held_back=view.held_back,
        )  # fmt: skip


@routes.get("")
def listed(
    wired: Wired,
    days: Annotated[int, Query(ge=0, le=366, description="Also those that ended so long ago.")] = 0,
    limit: Limit = 50,
    cursor: PageCursor = None,
) -> Listing[SilenceAnswer]:
    """Silences that hold or will hold, the last to end first."""
    with wired.database.read() as session:
        moment = now(session)
        page = silences(session, since=moment - timedelta(days=days), limit=limit, after=cursor)
    return Listing(items=[SilenceAnswer.of(one, moment) for one in page.items], next=next_of(page))


@routes.post("", status_code=201)
@needs(Role.OPERATOR)
def add(wired: Wired, caller: Caller, wish: SilenceWish) -> SilenceAnswer:
    """Silence a known trouble, or announce maintenance."""
    with wired.database.write() as session:
        made = add_silence(session, Wish(**wish.model_dump()), author=caller.name)
        return SilenceAnswer.of(made, now(session))


@routes.post("/{silence_id}/end", responses={404: {"description": "No such silence."}, 409: {"description": "Over."}})
@needs(Role.OPERATOR)
def end(silence_id: int, wired: Wired, caller: Caller) -> SilenceAnswer:
    """End a silence now; what it hid and is still open is told."""
    with wired.database.write() as session:
        return SilenceAnswer.of(end_silence(session, silence_id, by=caller.name), now(session))
