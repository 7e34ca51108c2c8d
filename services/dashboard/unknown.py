"""The inbox of what the model did not know, grouped by how it looks to it: people name it, and the next model knows."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.capture import Capture
from models.domain.errors import InputError
from services.access.roles import Principal, Role
from services.api.needs import needs
from services.api.paging import PageCursor, page_of
from services.api.schemas import PREFIX
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import address, go_to, own, page
from services.records.clusters import Cluster, clustered, clusters
from services.records.labels import add_labels, names_in_use, unnamed
from services.records.opinions import classes
from services.records.queries import inspection_lines
from services.records.session import ReadSession
from services.records.spots import SpotLine, spot_lines, unnamed_spots
from services.records.views import Cursor, InspectionSummary

MOST = 200
"""Newest captures shown that are in no cluster."""
PILES = 20
"""Clusters of one page."""
SHOWN = 12
"""Captures of a cluster that are seen beside other clusters, the most typical ones."""
SHOWN_ALONE = 240
"""Captures of a cluster that has the page to itself."""
PLACE_PX = 240
"""Across the picture of a place of a frame: two for each pixel of the page."""
MOST_NAMED = 300
"""Ticks of one form."""
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Member:
    """A capture that waits for a name, or a place of a frame.

    Attributes:
        id: by which it is named.
        capture: what it shows.
        href: where to see more of it.
        picture: of a place; '' = the capture's own.
    """

    id: str
    capture: Capture
    href: str
    picture: str = ""

    @property
    def text(self) -> str:
        """What people call it, short."""
        if self.picture:
            return self.capture.name.rpartition(" at ")[2]
        origin = self.capture.provenance
        return f"{origin.lot or ''} {origin.wafer or self.capture.name}"

    @property
    def place(self) -> str:
        """Where it was found."""
        origin = self.capture.provenance
        return " · ".join(part for part in (origin.step, origin.tool) if part)


@dataclass(frozen=True, slots=True)
class Pile:
    """Captures that wait for a name together.

    Attributes:
        number: of their cluster; None for a capture that is like no other.
        name: what others of the cluster are called already.
        members: those that are shown, the most typical one first; at least one.
        more: ids of the others.
        places: where they were found, the most frequent place first.
    """

    number: int | None
    name: str | None
    members: tuple[Member, ...]
    more: tuple[str, ...]
    places: str

    @property
    def what(self) -> str:
        """What its members are."""
        return "place" if self.members[0].picture else "capture"


@routes.get("/unknown")
def inbox(
    request: Request, wired: Wired, caller: Caller, cursor: PageCursor = None, group: int | None = None
) -> HTMLResponse:
    """Groups of strangers, the largest first; or one group alone, with more of its captures."""
    return _inbox(request, wired, caller, cursor=cursor, group=group)


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
        return _inbox(request, wired, caller, complaint=str(error))
    return go_to(own(back))


def _inbox(
    request: Request,
    wired: Wiring,
    caller: Principal,
    *,
    cursor: Cursor | None = None,
    group: int | None = None,
    complaint: str = "",
) -> HTMLResponse:
    with wired.database.read() as session:
        alike = [one for one in clusters(session) if group in (None, one.number)]
        shown = page_of(alike, lambda one: Cursor(one.opened_at, str(one.number)), limit=PILES, after=cursor)
        most = SHOWN if group is None else SHOWN_ALONE
        lines = _members(session, [one for cluster in shown.items for one in cluster.unnamed[:most]])
        is_first = group is None and cursor is None
        newest = unnamed(session, limit=MOST) if is_first else ()
        places = unnamed_spots(session, reader=caller.name, limit=MOST) if is_first else ()
        grouped = clustered(session, [one.capture.id for one in newest])
        named = classes(session)
        known = names_in_use(session)
    waiting = {one for cluster in alike for one in cluster.unnamed}
    alone = [_whole(one) for one in newest if one.capture.id not in grouped]
    alone += [_place(one) for one in places if one.id not in waiting]
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
        "is_full": MOST in (len(newest), len(places)),
        "known": known,
        "named": named,
        "complaint": complaint,
    }
    return page(request, "unknown.html", wired.pulse.beat(), context, 422 if complaint else 200)


def _members(session: ReadSession, ids: Collection[str]) -> Mapping[str, Member]:
    """What waits for a name, by the id it is named by."""
    whole = {id_: _whole(one) for id_, one in inspection_lines(session, ids).items()}
    return whole | {id_: _place(one) for id_, one in spot_lines(session, ids).items()}


def _whole(one: InspectionSummary) -> Member:
    return Member(one.id, one.capture, f"/inspections/{one.id}")


def _place(one: SpotLine) -> Member:
    sides = dict(zip(("top", "left", "bottom", "right"), (f"{side:.6f}" for side in one.box), strict=True))
    picture = address(f"{PREFIX}/inspections/{one.inspection_id}/region.png", **sides, size=PLACE_PX)
    return Member(one.id, one.capture, f"/inspections/{one.inspection_id}#place-{'-'.join(sides.values())}", picture)


def _pile(cluster: Cluster, shown: Sequence[Member]) -> Pile:
    return Pile(cluster.number, cluster.name, tuple(shown), cluster.unnamed[len(shown) :], _places(shown))


def _places(members: Sequence[Member]) -> str:
    """'CMP3 · SP5-02 (3), ETCH1 · SP5-04': common places hint at a cause."""
    named = Counter(one.place for one in members)
    return ", ".join(f"{place} ({number})" if number > 1 else place for place, number in named.most_common(3) if place)
