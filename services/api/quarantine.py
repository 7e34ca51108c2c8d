"""GET /quarantine: files that could not be inspected, with their reasons."""

from fastapi import APIRouter

from services.api.paging import Limit, PageCursor, next_of
from services.api.schemas import PREFIX, JobAnswer, Listing
from services.api.wiring import Wired
from services.records import queries

routes = APIRouter(prefix=PREFIX, tags=["quarantine"])


@routes.get("/quarantine")
def quarantine(wired: Wired, limit: Limit = 50, cursor: PageCursor = None) -> Listing[JobAnswer]:
    """Files set aside, the newest first: `quarantined` (the input is wrong) and `dead` (every try failed)."""
    with wired.database.read() as session:
        page = queries.quarantine(session, limit=limit, after=cursor)
    return Listing(items=[JobAnswer.of(one) for one in page.items], next=next_of(page))
