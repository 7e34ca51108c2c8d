"""GET /inspections/{id}/klarf: the tool's file with our verdicts in it, for whoever reads what the tool wrote."""

import io
from pathlib import PurePath
from urllib.parse import quote

from fastapi import APIRouter, Response

from models.domain.errors import RetryableError
from pipelines.ingestion import judged_klarf
from pipelines.ingestion.formats.klarf import is_klarf, write_klarf
from services.api.inspections import MISSING, find_line
from services.api.schemas import PREFIX
from services.api.wiring import Wired, Wiring
from services.records import queries

routes = APIRouter(prefix=f"{PREFIX}/inspections", tags=["inspections"])


@routes.get("/{inspection_id}/klarf", responses=MISSING, response_class=Response)
def klarf(inspection_id: str, wired: Wired) -> Response:
    """The tool's KLARF file with the verdicts of all its wafers in it: a new file in the same dialect.

    Defects of a pattern carry MACROSIGCLASS and MACROSIGID; each wafer's verdict and the model that stated it stand in
    CustomWaferList. The tool's own classes stay as they are.
    """
    line = find_line(wired, inspection_id)
    with wired.database.read() as session:
        found = queries.inspections_of_file(session, line.sha256, line.bundle.digest)
    by_capture = {one.summary.capture.id: one.inspection for one in found}
    places = enumerate(wired.drawings.capture_ids(line.sha256))
    inspections = {place: by_capture[capture] for place, capture in places if capture in by_capture}
    labels = wired.bundles.labels(line.bundle.digest)
    judged = judged_klarf(wired.drawings.source(line.sha256), inspections, labels, wired.options)
    file = io.BytesIO()
    write_klarf(judged, file)
    name = PurePath(line.file_name)
    called = quote(f"{name.stem}_verdicts{name.suffix}", safe="")
    return Response(
        file.getvalue(),
        media_type="application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{called}"},
    )


def can_be_judged(wired: Wiring, sha256: str) -> bool:
    """Whether a file is a KLARF file that this machine holds."""
    try:
        with wired.drawings.source(sha256).open("rb") as file:
            return is_klarf(file.read(1024))
    except RetryableError:
        return False
