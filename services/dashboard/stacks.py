"""A stack of wafers as a page and a picture: the newest that fit the filters, or those of an alert."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.capture import CaptureKind
from models.domain.errors import RetryableError
from services.api.drawing import Drawing
from services.api.pictures import CLASS_COLOURS, Theme, classes_png, stack_png
from services.api.problems import NotFoundError
from services.api.stacking import Look, Stack, stack
from services.api.wiring import Wired, Wiring
from services.dashboard.looks import address, page
from services.records import queries
from services.records.places import recent_values
from services.records.queries import InspectionFilter
from services.records.views import InspectionSummary

DEFAULT, MOST = 50, 200
LOOKS = ((Look.HITS, "Hit count"), (Look.DENSITY, "Density"), (Look.CLASS, "Dominant class"))
Text = Annotated[str, Query(max_length=200)]
Number = Annotated[int, Query(ge=1, le=MOST)]
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which wafers: of an alert, or the newest that fit."""

    alert: int | None
    verdict: str
    label: str
    lot: str
    product: str
    step: str
    tool: str
    n: int
    look: Look

    def query(self) -> dict[str, object]:
        """The same as an address says it."""
        return {name: getattr(self, name) for name in self.__slots__}


def _choice(
    *,
    alert: int | None = None,
    verdict: Text = "",
    label: Text = "",
    lot: Text = "",
    product: Text = "",
    step: Text = "",
    tool: Text = "",
    n: Number = DEFAULT,
    look: Look = Look.HITS,
) -> Choice:
    return Choice(alert, verdict, label, lot, product, step, tool, n, look)


Chosen = Annotated[Choice, Depends(_choice)]


@routes.get("/stack")
def stack_page(request: Request, wired: Wired, chosen: Chosen) -> HTMLResponse:
    """The stack with the wafers it is made of."""
    lines = _lines(wired, chosen)
    drawn, missing = _drawings(wired, lines)
    made = stack(drawn)
    with wired.database.read() as session:
        choices = recent_values(session)
    context = {
        "chosen": chosen,
        "choices": choices,
        "lines": lines,
        "missing": missing,
        "stack": made,
        "picture": address("/stack.png", **chosen.query()),
        "looks": [(look, text, address("/stack", **chosen.query() | {"look": look.value})) for look, text in LOOKS],
        "colours": CLASS_COLOURS,
        "filtered": any((chosen.label, chosen.lot, chosen.product, chosen.step, chosen.tool, chosen.verdict)),
    }
    return page(request, "stack.html", wired.pulse.beat(), context)


@routes.get("/stack.png")
def stack_picture(
    wired: Wired, chosen: Chosen, size: Annotated[int, Query(ge=64, le=1600)] = 720, theme: Theme = Theme.LIGHT
) -> Response:
    """The stack as a picture."""
    drawn, _ = _drawings(wired, _lines(wired, chosen))
    made: Stack = stack(drawn)
    match chosen.look:
        case Look.HITS:
            content = stack_png(made.share, size, theme)
        case Look.DENSITY:
            content = stack_png(made.density, size, theme)
        case Look.CLASS:
            content = classes_png(made.dominant, size, theme)
    return Response(content, media_type="image/png")


def _lines(wired: Wiring, chosen: Choice) -> tuple[InspectionSummary, ...]:
    """The inspections of the wafers that are stacked: aerial images cannot be."""
    return tuple(one for one in _chosen(wired, chosen) if one.capture.kind is CaptureKind.WAFER)


def _chosen(wired: Wiring, chosen: Choice) -> tuple[InspectionSummary, ...]:
    with wired.database.read() as session:
        if chosen.alert is not None:
            detail = queries.alert(session, chosen.alert, occurrences=chosen.n)
            if detail is None:
                raise NotFoundError("no such alert", where=str(chosen.alert), remedy="see /alerts")
            return detail.occurrences
        which = InspectionFilter(
            lot=chosen.lot or None,
            tool=chosen.tool or None,
            product=chosen.product or None,
            step=chosen.step or None,
            label=chosen.label or None,
            unknown={"unknown": True, "known": False}.get(chosen.verdict),
        )
        return queries.inspections(session, which=which, limit=chosen.n).items


def _drawings(wired: Wiring, lines: tuple[InspectionSummary, ...]) -> tuple[list[Drawing], int]:
    drawn, missing = [], 0
    for one in lines:
        try:
            drawn.append(wired.drawings.get(one.capture.id, one.sha256))
        except RetryableError:
            missing += 1
    return drawn, missing
