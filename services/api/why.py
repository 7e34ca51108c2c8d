"""GET /inspections/{id}/why: what the network looked at, which known examples are nearest, how clear it was."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response

from models.domain.errors import RetryableError
from services.api.explaining import Why
from services.api.inspections import MISSING, UNCHANGING, find_line
from services.api.pictures import heat_png, patch_png
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, NeighbourAnswer, WhyAnswer
from services.api.wiring import Wired, Wiring
from services.records import queries
from services.records.views import InspectionSummary, NumberedVerdict

WindowNumber = Annotated[int | None, Query(ge=0, description="Number of the window; default: the capture's own.")]
Label = Annotated[str | None, Query(max_length=200, description="Class to explain; default: the likeliest.")]
routes = APIRouter(prefix=PREFIX, tags=["why"])


@routes.get("/inspections/{inspection_id}/why", responses=MISSING)
def why(
    inspection_id: str, wired: Wired, response: Response, window: WindowNumber = None, label: Label = None
) -> WhyAnswer:
    """Why a window was judged as it was.

    The heat maps are at `links`; the nearest known examples have their label, their lot and, where the bundle keeps
    it, a picture.
    """
    shown, own, found = explained(wired, inspection_id, window, label)
    response.headers["Cache-Control"] = UNCHANGING
    return answer_of(shown, own, found)


@routes.get("/inspections/{inspection_id}/why/{heat}.png", responses=MISSING, response_class=Response)
def heat_map(
    *, inspection_id: str, heat: str, wired: Wired, window: WindowNumber = None, label: Label = None
) -> Response:
    """`saliency` (gradient of the class's score) or `attention` (Grad-CAM) laid over the window."""
    if heat not in ("saliency", "attention"):
        raise NotFoundError("no such heat map", where=heat[:80], expected="saliency | attention")
    shown, own, found = explained(wired, inspection_id, window, label)
    pixels = wired.drawings.reader(shown.capture.id, shown.sha256).read(own.verdict.window).pixels
    content = heat_png(pixels, getattr(found.explanation, heat))
    return Response(content, media_type="image/png", headers={"Cache-Control": UNCHANGING})


@routes.get("/bundles/{digest}/examples/{row}.png", responses=MISSING, response_class=Response)
def example(digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], row: int, wired: Wired) -> Response:
    """The picture of a known example of a bundle."""
    try:
        pictures = wired.explaining.reference(digest).pictures
    except RetryableError as error:  # of a digest that somebody made up, trying again would not help
        raise NotFoundError("no such bundle here", where=digest, remedy=error.complaint.remedy) from error
    if pictures is None or not 0 <= row < len(pictures):
        raise NotFoundError("no such picture", where=f"example {row}", remedy="train the bundle again")
    return Response(patch_png(pictures[row]), media_type="image/png", headers={"Cache-Control": UNCHANGING})


def explained(
    wired: Wiring, inspection_id: str, window: int | None, label: str | None
) -> tuple[InspectionSummary, NumberedVerdict, Why]:
    """The inspection, the verdict asked about, and why.

    Raises:
        NotFoundError: there is no such inspection or window.
        RetryableError: its file or its bundle are not on this machine.
    """
    shown = find_line(wired, inspection_id)
    with wired.database.read() as session:
        if window is None:
            own = next(iter(queries.gravest(session, inspection_id)), None)
        else:
            own = queries.numbered(session, inspection_id, window)
    if own is None:
        raise NotFoundError("no such window", where=f"{inspection_id[:16]} window {window}")
    return shown, own, wired.explaining.why(shown, own.verdict.window, label)


def answer_of(shown: InspectionSummary, own: NumberedVerdict, found: Why) -> WhyAnswer:
    """The explanation in words and addresses."""
    names, explanation = found.manifest.labels.names, found.explanation
    label = names[explanation.label]
    path, query = f"{PREFIX}/inspections/{shown.id}/why", urlencode({"window": own.n, "label": label})
    distance = explanation.class_distance
    return WhyAnswer(
        inspection=shown.id,
        window=own.n,
        label=label,
        likeliest=own.verdict.likeliest,
        runner_up=own.verdict.runner_up,
        margin=explanation.margin,
        class_distance=distance if distance == distance else None,  # noqa: PLR0124 - NaN: no example of it
        neighbours=[
            NeighbourAnswer(
                sample=one.sample_id,
                label=names[one.label] if one.label >= 0 else None,
                lot=one.group,
                distance=one.distance,
                picture=None
                if found.reference.pictures is None
                else f"{PREFIX}/bundles/{shown.bundle.digest}/examples/{one.row}.png",
            )
            for one in explanation.neighbours
        ],
        saliency=f"{path}/saliency.png?{query}",
        attention=f"{path}/attention.png?{query}",
    )
