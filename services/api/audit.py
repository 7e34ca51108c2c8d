"""GET /audit: the whole audit trail, a line per row, to be kept elsewhere and checked without this service."""

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.access.roles import Role
from services.alerting.audit import export
from services.api.needs import needs
from services.api.schemas import PREFIX
from services.api.wiring import Wired

routes = APIRouter(prefix=f"{PREFIX}/audit", tags=["audit"])


@routes.get("", response_class=StreamingResponse)
@needs(Role.ENGINEER)
def audit(wired: Wired) -> StreamingResponse:
    """Every event of every alert and every line of the journal with their hashes, as JSON lines.

    `waferwatch audit verify FILE` recomputes the hashes, offline.
    """

    def lines() -> Iterator[str]:
        with wired.database.read() as session:
            yield from export(session)

    return StreamingResponse(
        lines(),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="audit.jsonl"'},
    )
