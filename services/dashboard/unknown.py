"""The inbox of what the model did not know, grouped by how it looks to it: people name it, and the next model knows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.errors import InputError
from services.access.roles import Role
from services.api.needs import needs
from services.api.paging import PageCursor, page_of
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import address, go_to, own, page
from services.records.clusters import Cluster, clustered, clusters
from services.records.labels import add_labels, names_in_use, unnamed
from services.records.opinions import classes
from services.records.queries import inspection_lines
from services.records.views import Cursor, InspectionSummary

MOST = 200
"""Newest captures shown that are in no cluster."""
PILES = 20
"""Clusters of one page."""
SHOWN = 12
"""Captures of a cluster that are seen beside other clusters, the most typical ones."""
SHOWN_ALONE = 240
"""Captures of a cluster that has the page to itself."""
MOST_NAMED = 300
"""Ticks of one form."""
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Pile:
    """Captures that wait for a name together.

    Attributes:
        number: of their cluster; None for a capture that is like no other.
        name: what others of the cluster are called already.
        members: those that are shown, the most typical one first.
        more: ids of the others.
        places: where they were found, the most frequent place first.
    """

    number: int | None
    name: str | None
    members: tuple[InspectionSummary, ...]
    more: tuple[str, ...]
    places: str


@routes.get("/unknown")
def inbox(request: Request, wired: Wired, cursor: PageCursor = None, group: int | None = None) -> HTMLResponse:
    """Groups of strangers, the largest first; or one group alone, with more of its captures."""
    return _inbox(request, wired, cursor, group)


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
            ticked = [one for tick in inspection for one in tick.split(",")]  # those of a group not shown are one tick
            add_labels(session, ticked, name=name, author=caller.name)
    except InputError as error:
        return _inbox(request, wired, complaint=str(error))
    return go_to(own(back))


def _inbox(
    request: Request, wired: Wiring, cursor: Cursor | None = None, group: int | None = None, complaint: str = ""
) -> HTMLResponse:
    with wired.database.read() as session:
        alike = [one for one in clusters(session) if group in (None, one.number)]
        shown = page_of(alike, lambda one: Cursor(one.opened_at, str(one.number)), limit=PILES, after=cursor)
        most = SHOWN if group is None else SHOWN_ALONE
        lines = inspection_lines(session, [one for cluster in shown.items for one in cluster.unnamed[:most]])
        newest = unnamed(session, limit=MOST) if group is None and cursor is None else ()
        grouped = clustered(session, [one.capture.id for one in newest])
        named = classes(session)
        known = names_in_use(session)
    alone = [one for one in newest if one.capture.id not in grouped]
    context = {
        "piles": [
            *(_pile(one, [lines[id_] for id_ in one.unnamed[:most]]) for one in shown.items),
            *(Pile(None, None, (one,), (), _places([one])) for one in alone),
        ],
        "is_whole": group is None,
        "here": address("/unknown", cursor=cursor),
        "first": "/unknown" if cursor or group is not None else None,
        "further": address("/unknown", cursor=shown.next) if shown.next else None,
        "most": MOST,
        "is_full": len(newest) == MOST,
        "known": known,
        "named": named,
        "complaint": complaint,
    }
    return page(request, "unknown.html", wired.pulse.beat(), context, 422 if complaint else 200)


def _pile(cluster: Cluster, shown: Sequence[InspectionSummary]) -> Pile:
    return Pile(cluster.number, cluster.name, tuple(shown), cluster.unnamed[len(shown) :], _places(shown))


def _places(members: Sequence[InspectionSummary]) -> str:
    """'CMP3 · SP5-02 (3), ETCH1 · SP5-04': common places hint at a cause."""
    origins = [one.capture.provenance for one in members]
    named = Counter(" · ".join(part for part in (one.step, one.tool) if part) for one in origins)
    return ", ".join(f"{place} ({number})" if number > 1 else place for place, number in named.most_common(3) if place)
