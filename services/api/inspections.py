"""GET /inspections: what was found, window by window."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Response

from services.api.paging import Limit, PageCursor, next_of
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, InspectionAnswer, Listing, WindowAnswer, WindowsAnswer
from services.api.wiring import Wired, Wiring
from services.records import queries
from services.records.queries import InspectionFilter
from services.records.views import InspectionDetail, InspectionSummary
from services.telemetry.metrics import verdict_kind

UNCHANGING = "private, max-age=86400"
"""An inspection never changes; how it is told may, with the next version of this service."""
MISSING: dict[int | str, dict[str, str]] = {404: {"description": "No such inspection."}}
routes = APIRouter(prefix=f"{PREFIX}/inspections", tags=["inspections"])


@routes.get("")
def inspections(
    *,
    wired: Wired,
    limit: Limit = 50,
    cursor: PageCursor = None,
    lot: str | None = None,
    product: str | None = None,
    step: str | None = None,
    tool: str | None = None,
    label: Annotated[str | None, Query(description="The capture's own label.")] = None,
    unknown: Annotated[bool | None, Query(description="True: refused a label; false: given one.")] = None,
) -> Listing[InspectionAnswer]:
    """Inspections, the last recorded first."""
    which = InspectionFilter(lot=lot, product=product, step=step, tool=tool, label=label, unknown=unknown)
    with wired.database.read() as session:
        page = queries.inspections(session, which=which, limit=limit, after=cursor)
    return Listing(items=[InspectionAnswer.of(one) for one in page.items], next=next_of(page))


@routes.get("/{inspection_id}", responses=MISSING)
def inspection(inspection_id: str, wired: Wired) -> InspectionAnswer:
    """One inspection."""
    return InspectionAnswer.of(find_line(wired, inspection_id))


@routes.get("/{inspection_id}/windows", responses=MISSING)
def windows(inspection_id: str, wired: Wired, response: Response) -> WindowsAnswer:
    """The verdicts of all windows, in the order they were cut."""
    found = find(wired, inspection_id)
    response.headers["Cache-Control"] = UNCHANGING
    normal = found.summary.normal
    listed = [WindowAnswer.of(n, one, verdict_kind(one, normal)) for n, one in enumerate(found.verdicts)]
    return WindowsAnswer(inspection=inspection_id, windows=listed)


def find(wired: Wiring, inspection_id: str) -> InspectionDetail:
    """One inspection with its verdicts.

    Raises:
        NotFoundError: there is none.
    """
    with wired.database.read() as session:
        found = queries.inspection(session, inspection_id)
    return _there(found, inspection_id)


def find_line(wired: Wiring, inspection_id: str) -> InspectionSummary:
    """The same without verdicts.

    Raises:
        NotFoundError: there is none.
    """
    with wired.database.read() as session:
        found = queries.inspection_line(session, inspection_id)
    return _there(found, inspection_id)


Found = TypeVar("Found")


def _there(found: Found | None, inspection_id: str) -> Found:
    if found is None:
        raise NotFoundError("no such inspection", where=inspection_id[:80], remedy=f"see {PREFIX}/inspections")
    return found
