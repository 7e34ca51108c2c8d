"""What goes wrong and since when: Pareto of patterns, trend, and a control chart, filtered by the address."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from models.spc.p_chart import p_chart
from models.spc.usual import Sample
from services.api.problems import NotFoundError
from services.api.wiring import Wired
from services.dashboard import charts
from services.dashboard.looks import page
from services.records.places import recent_values
from services.records.quality import Span, intervals, shares
from services.records.queries import InspectionFilter

routes = APIRouter(include_in_schema=False)
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a chart looks, and in what steps."""

    text: str
    length: timedelta
    step: timedelta

    def span(self, now: datetime) -> Span:
        """Whole steps up to the one that is under way."""
        seconds = self.step.total_seconds()
        begun = int(now.timestamp() // seconds * seconds)
        until = datetime.fromtimestamp(begun, now.tzinfo) + self.step
        return Span(until - self.length, until)


REACHES = {
    "8h": Reach("8 hours", timedelta(hours=8), timedelta(minutes=30)),
    "24h": Reach("24 hours", timedelta(hours=24), timedelta(hours=1)),
    "7d": Reach("7 days", timedelta(days=7), timedelta(hours=6)),
    "30d": Reach("30 days", timedelta(days=30), timedelta(days=1)),
}


@routes.get("/quality")
def quality(
    *,
    request: Request,
    wired: Wired,
    reach: Text = "24h",
    product: Text = "",
    step: Text = "",
    tool: Text = "",
) -> HTMLResponse:
    """The charts."""
    if reach not in REACHES:
        raise NotFoundError("no such reach", where=f"reach={reach}", expected=" | ".join(REACHES))
    chosen = REACHES[reach]
    which = InspectionFilter(product=product or None, step=step or None, tool=tool or None)
    beat = wired.pulse.beat()
    over = chosen.span(beat.now)
    with wired.database.read() as session:
        found = shares(session, over, which)
        choices = recent_values(session)
        series = intervals(session, over, chosen.step, which)
    chart = p_chart([Sample(one.captures, one.failing) for one in series])
    context = {
        "reach": reach,
        "reaches": REACHES,
        "which": which,
        "choices": choices,
        "filtered": bool(which.conditions()),
        "over": over,
        "total": sum(one.captures for one in found),
        "failing": sum(one.captures for one in found if not one.normal),
        "pareto": charts.pareto(found),
        "trend": charts.trend(series, chosen.step),
        "control": charts.control(series, chart, chosen.step),
        "chart": chart,
        "frame": (charts.WIDTH, charts.HEIGHT, charts.LEFT, charts.RIGHT, charts.TOP, charts.BOTTOM),
    }
    return page(request, "quality.html", beat, context)
