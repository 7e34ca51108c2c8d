"""The page that says why a window was judged as it was: heat maps, nearest known examples, clearness."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.api.why import Label, WindowNumber, answer_of, explained
from services.api.wiring import Wired
from services.dashboard.looks import page

routes = APIRouter(include_in_schema=False)


@routes.get("/inspections/{inspection_id}/why")
def why(
    inspection_id: str, request: Request, wired: Wired, window: WindowNumber = None, label: Label = None
) -> HTMLResponse:
    """Why, for one window and one class."""
    shown, own, found = explained(wired, inspection_id, window, label)
    context = {
        "shown": shown,
        "why": answer_of(shown, own, found),
        "labels": found.manifest.labels.names,
        "verdict": own.verdict,
        "limit": found.manifest.thresholds.novelty_for(own.verdict.likeliest or ""),
    }
    return page(request, "why.html", wired.pulse.beat(), context)
