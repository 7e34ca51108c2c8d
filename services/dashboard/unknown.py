"""The inbox of what the model did not know, grouped by how it looks: people name it, so that the next model does."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from models.domain.errors import InputError, RetryableError
from services.api.drawing import Drawing
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.likeness import describe, groups
from services.dashboard.looks import page
from services.records.labels import add_labels, labels, names_in_use, unnamed
from services.records.views import InspectionSummary

MOST = 200
"""Newest captures that are grouped; drawing them for the first time takes a few milliseconds each."""
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Pile:
    """Wafers that look alike, the most typical one first, and where they were found, the most frequent place first."""

    members: tuple[InspectionSummary, ...]
    places: str


@routes.get("/unknown")
def inbox(request: Request, wired: Wired) -> HTMLResponse:
    """Groups of strangers, the largest first."""
    return _inbox(request, wired)


@routes.post("/unknown/name")
def name_them(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    inspection: Annotated[list[str], Form(max_length=MOST)],
    name: Annotated[str, Form(max_length=200)] = "",
    back: Annotated[str, Form(max_length=200)] = "/unknown",
) -> Response:
    """Say what some captures show."""
    try:
        with wired.database.write() as session:
            add_labels(session, inspection, name=name, author=caller.name)
    except InputError as error:
        return _inbox(request, wired, str(error))
    return RedirectResponse(back if back.startswith("/inspections/") else "/unknown", 303)


def _inbox(request: Request, wired: Wiring, complaint: str = "") -> HTMLResponse:
    with wired.database.read() as session:
        strangers = unnamed(session, limit=MOST)
        named = labels(session)
        known = names_in_use(session)
    drawn, missing = _drawn(wired, strangers)
    found = groups([describe(drawing) for _, drawing in drawn])
    piles = [tuple(drawn[k][0] for k in group.members) for group in found]
    context = {
        "piles": [Pile(members, _places(members)) for members in piles],
        "missing": missing,
        "most": MOST,
        "is_full": len(strangers) == MOST,
        "known": known,
        "named": Counter(one.name for one in named).most_common(),
        "complaint": complaint,
    }
    return page(request, "unknown.html", wired.pulse.beat(), context, 422 if complaint else 200)


def _drawn(
    wired: Wiring, strangers: tuple[InspectionSummary, ...]
) -> tuple[list[tuple[InspectionSummary, Drawing]], int]:
    """The captures whose files are here, with their drawings, and how many are not here."""
    drawn, missing = [], 0
    for one in strangers:
        try:
            drawn.append((one, wired.drawings.get(one.capture.id, one.sha256)))
        except RetryableError:
            missing += 1
    return drawn, missing


def _places(members: tuple[InspectionSummary, ...]) -> str:
    """'CMP3 · SP5-02 (3), ETCH1 · SP5-04': common places hint at a cause."""
    origins = [one.capture.provenance for one in members]
    named = Counter(" · ".join(part for part in (one.step, one.tool) if part) for one in origins)
    return ", ".join(f"{place} ({number})" if number > 1 else place for place, number in named.most_common(3) if place)
