"""GET /clusters: unknown captures that look alike; POST names all of one at once."""

from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from services.access.roles import Role
from services.api.labels import Named
from services.api.needs import needs
from services.api.paging import Limit, PageCursor, next_of, page_of
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, Answer, Asked, InspectionAnswer, Listing
from services.api.wiring import Caller, Wired, Wiring
from services.records import clusters as records
from services.records.clusters import Cluster
from services.records.labels import add_labels
from services.records.queries import inspection_lines
from services.records.session import ReadSession
from services.records.spots import SpotLine, spot_lines
from services.records.views import Cursor, InspectionSummary

MEDOIDS = 6
"""Members that a cluster is shown by, the most typical ones."""
MISSING: dict[int | str, dict[str, str]] = {404: {"description": "No such cluster."}}
routes = APIRouter(prefix=f"{PREFIX}/clusters", tags=["unknown"])


class PlaceAnswer(Answer):
    """An unknown place of a frame, which is named by itself."""

    id: str = Field(description="Names it: give it to POST /labels among the `inspections`.")
    name: str = Field(examples=["5.jpg at row 1154, column 3363"])
    inspection: str = Field(description="Of the frame.")
    top: float = Field(description="This and the next three: where, as fractions of the frame; see `region.png`.")
    left: float
    bottom: float
    right: float
    likeliest: str | None = Field(description="The class it would have been forced into.")
    novelty: float

    @classmethod
    def of(cls, line: SpotLine) -> "PlaceAnswer":
        """From the line of the list."""
        top, left, bottom, right = line.box
        return cls(
            id=line.id, name=line.capture.name, inspection=line.inspection_id, top=top, left=left, bottom=bottom,
            right=right, likeliest=line.likeliest, novelty=line.novelty,
        )  # fmt: skip


class ClusterAnswer(Answer):
    """Unknown captures that look alike to the model that refused them."""

    id: int = Field(description="Stays while most of the captures stay together.", examples=[7])
    opened_at: datetime = Field(description="When the first of them were grouped.")
    name: str | None = Field(description="What most of those are called that somebody named.", examples=["Comet"])
    size: int
    unnamed: int = Field(description="How many wait for a name.")
    medoids: list[InspectionAnswer] = Field(description=f"The {MEDOIDS} most typical ones, with their pictures.")
    inspections: list[str] = Field(
        description="By what all members are named, the most typical first: of captures the inspection, of places of"
        " frames the id in `places`."
    )
    places: list[PlaceAnswer] = Field(description=f"Of the {MEDOIDS} most typical members those that are places.")

    @classmethod
    def of(
        cls, view: Cluster, lines: Mapping[str, InspectionSummary], places: Mapping[str, SpotLine]
    ) -> "ClusterAnswer":
        """From the view and the lines of its most typical members, captures and places of frames."""
        return cls(
            id=view.number,
            opened_at=view.opened_at,
            name=view.name,
            size=len(view.members),
            unnamed=len(view.unnamed),
            medoids=[InspectionAnswer.of(lines[one]) for one in view.members[:MEDOIDS] if one in lines],
            inspections=list(view.members),
            places=[PlaceAnswer.of(places[one]) for one in view.members[:MEDOIDS] if one in places],
        )


class ClusterNaming(Asked):
    """A name for what a cluster shows."""

    label: str = Field(min_length=1, max_length=80, examples=["Comet"])
    note: str = Field("", max_length=2000)
    but: list[str] = Field([], max_length=2000, description="Inspections that do not belong: they keep no name.")


@routes.get("")
def clusters(wired: Wired, limit: Limit = 50, cursor: PageCursor = None) -> Listing[ClusterAnswer]:
    """Clusters with captures that nobody has named, those with most of them first."""
    with wired.database.read() as session:
        found = records.clusters(session)
        page = page_of(found, lambda one: Cursor(one.opened_at, str(one.number)), limit=limit, after=cursor)
        lines, places = _medoids(session, *page.items)
    return Listing(items=[ClusterAnswer.of(one, lines, places) for one in page.items], next=next_of(page))


@routes.get("/{number}", responses=MISSING)
def cluster(number: int, wired: Wired) -> ClusterAnswer:
    """One cluster; the number of one that was merged into another leads to the other."""
    found = _there(wired, number)
    with wired.database.read() as session:
        return ClusterAnswer.of(found, *_medoids(session, found))


@routes.post("/{number}/name", status_code=201, responses=MISSING)
@needs(Role.OPERATOR)
def name_cluster(number: int, naming: ClusterNaming, wired: Wired, caller: Caller) -> Named:
    """Say what all unnamed captures of a cluster show. They are examples of that class for the next training."""
    chosen = set(_there(wired, number).unnamed) - set(naming.but)
    if not chosen:
        return Named(captures=0)
    with wired.database.write() as session:
        return Named(captures=add_labels(session, chosen, name=naming.label, author=caller.name, note=naming.note))


def _medoids(session: ReadSession, *of: Cluster) -> tuple[Mapping[str, InspectionSummary], Mapping[str, SpotLine]]:
    ids = [one for cluster in of for one in cluster.members[:MEDOIDS]]
    return inspection_lines(session, ids), spot_lines(session, ids)


def _there(wired: Wiring, number: int) -> Cluster:
    with wired.database.read() as session:
        found = records.cluster(session, number)
    if found is None:
        raise NotFoundError("no such cluster", where=str(number), remedy=f"see {PREFIX}/clusters")
    return found
