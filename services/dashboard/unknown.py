"""The inbox of what the model did not know, grouped by how it looks to it: people name it, and the next model knows."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from models.domain.errors import InputError
from services.access.roles import Role
from services.api.needs import needs
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import page
from services.records.clusters import Cluster, clustered, clusters
from services.records.labels import add_labels, labels, names_in_use, unnamed
from services.records.views import InspectionSummary

MOST = 200
"""Newest captures shown that are in no cluster."""
SHOWN = 12
"""Captures of a cluster that are seen at once, the most typical ones; the others are a click away."""
MOST_NAMED = 2000
"""Captures that one form may name."""
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Pile:
    """Captures that wait for a name together.

    Attributes:
        number: of their cluster; None for a capture that is like no other.
        name: what others of the cluster are called already.
        members: the most typical one first.
        places: where they were found, the most frequent place first.
    """

    number: int | None
    name: str | None
    members: tuple[InspectionSummary, ...]
    places: str


@routes.get("/unknown")
def inbox(request: Request, wired: Wired) -> HTMLResponse:
    """Groups of strangers, the largest first."""
    return _inbox(request, wired)


@routes.post("/unknown/name")
@needs(Role.OPERATOR)
def name_them(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    inspection: Annotated[list[str], Form(max_length=MOST_NAMED)],
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
        alike = clusters(session)
        newest = unnamed(session, limit=MOST)
        grouped = clustered(session, [one.capture.id for one in newest])
        named = labels(session)
        known = names_in_use(session)
    alone = [one for one in newest if one.capture.id not in grouped]
    context = {
        "piles": [_pile(one) for one in alike] + [Pile(None, None, (one,), _places((one,))) for one in alone],
        "shown": SHOWN,
        "most": MOST,
        "is_full": len(newest) == MOST,
        "known": known,
        "named": Counter(one.name for one in named).most_common(),
        "complaint": complaint,
    }
    return page(request, "unknown.html", wired.pulse.beat(), context, 422 if complaint else 200)


def _pile(cluster: Cluster) -> Pile:
    waiting = tuple(one for one in cluster.members if one.id in cluster.unnamed)
    return Pile(cluster.number, cluster.name, waiting, _places(waiting))


def _places(members: tuple[InspectionSummary, ...]) -> str:
    """'CMP3 · SP5-02 (3), ETCH1 · SP5-04': common places hint at a cause."""
    origins = [one.capture.provenance for one in members]
    named = Counter(" · ".join(part for part in (one.step, one.tool) if part) for one in origins)
    return ", ".join(f"{place} ({number})" if number > 1 else place for place, number in named.most_common(3) if place)
