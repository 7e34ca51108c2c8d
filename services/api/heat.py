"""GET /inspections/{id}/heat: where a densely read level showed how much of which class; to be laid over pictures."""

from collections import Counter
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.api.heat_colours import colour_of, heat_png, stops
from services.api.inspections import MISSING, UNCHANGING, find_line
from services.api.maps import kept
from services.api.pictures import Rgb
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, Answer
from services.api.wiring import Wired
from services.records import heat as records
from services.records.heat import HeatLine

routes = APIRouter(prefix=f"{PREFIX}/inspections", tags=["maps"])


class HeatAnswer(Answer):
    """One class on one level. The picture has a pixel for each cell and belongs into the box."""

    number: int
    label: str | None = Field(description="The class; null: windows that were refused a label.", examples=["Scratch"])
    level: int = Field(description="Of the tile pyramid.")
    top: float = Field(description="This and the next three: the box of all cells, as fractions of the capture.")
    left: float
    bottom: float
    right: float
    rows: int = Field(description="Of cells.")
    columns: int
    greatest: float = Field(description="Probability at the hottest place.", examples=[0.93])
    colours: list[str] = Field(description="Of probabilities 0, ¼, ½, ¾ and 1 in the picture, as CSS colours.")
    picture: str = Field(description="Address of the picture, PNG; clear where there is nothing.")


class HeatsAnswer(Answer):
    """The heat maps of an inspection."""

    inspection: str
    maps: list[HeatAnswer] = Field(description="Empty if no level was read densely, or if they are past their time.")


@routes.get("/{inspection_id}/heat", responses=MISSING)
def heat(inspection_id: str, wired: Wired, response: Response) -> HeatsAnswer:
    """A map for each class on each densely read level: the probability at the places of its windows.

    Of each place the two likeliest classes are known; maps of more than 512 cells a side are reduced, and the greatest
    probability of a cell stays.
    """
    find_line(wired, inspection_id)
    with wired.database.read() as session:
        lines = records.heat_lines(session, inspection_id)
    response.headers["Cache-Control"] = UNCHANGING
    maps = [_answer(inspection_id, one, colour) for one, colour in zip(lines, _colours(lines), strict=True)]
    return HeatsAnswer(inspection=inspection_id, maps=maps)


@routes.get("/{inspection_id}/heat/{number}.png", responses=MISSING, response_class=Response)
def heat_picture(inspection_id: str, number: int, wired: Wired, request: Request) -> Response:
    """One heat map as a picture, a pixel for each cell: clear where there is nothing, a colour for each class."""

    def make() -> bytes:
        with wired.database.read() as session:
            lines = records.heat_lines(session, inspection_id)
            found = records.heat_map(session, inspection_id, number)
        if found is None:
            raise NotFoundError(
                "no such heat map", where=str(number), expected=f"0 <= number < {len(lines)}",
                remedy=f"see {PREFIX}/inspections/{inspection_id[:80]}/heat",
            )  # fmt: skip
        return heat_png(found.values, _colours(lines)[number])

    return kept(request, inspection_id, "image/png", make)


def _colours(lines: Sequence[HeatLine]) -> list[Rgb]:
    """A class has the same colour on all levels."""
    place: Counter[int] = Counter()
    found = []
    for one in lines:
        found.append(colour_of(one.label, place[one.level]))
        place[one.level] += 1
    return found


def _answer(inspection_id: str, line: HeatLine, colour: Rgb) -> HeatAnswer:
    top, left, bottom, right = line.box
    return HeatAnswer(
        number=line.number,
        label=line.label,
        level=line.level,
        top=top,
        left=left,
        bottom=bottom,
        right=right,
        rows=line.rows,
        columns=line.columns,
        greatest=line.greatest,
        colours=stops(colour),
        picture=f"{PREFIX}/inspections/{inspection_id}/heat/{line.number}.png",
    )
