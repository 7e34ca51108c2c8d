"""Models: who judges, what the challenger's gate report says, what shadows found, and the click that promotes."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.errors import InputError, WaferwatchError
from models.domain.label import Agreement
from pipelines.registry import Opened, Version
from pipelines.release import CHALLENGER, PREVIOUS
from pipelines.release_gate import noise
from services.access.roles import Role
from services.api.models import find_version, promote_version
from services.api.needs import needs
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import go_to, page
from services.records.journal import journal
from services.records.opinions import agreements
from services.records.shadows import ShadowCount, route_counts, shadow_counts

WINDOW = timedelta(days=7)
"""How far back shadows and routes are counted."""
_RECALL, _SUPPORT = "test.recall.", "test.support."
_SHARES = frozenset({"test.normal_false_alarms", "test.missed", "test.refused"})
_WORDS = {
    "test.macro_f1": "Macro-F1",
    "test.normal_false_alarms": "False alarms on normal ones",
    "test.missed": "Defects called normal",
    "test.refused": "Refused a label",
    "test.open_set.auroc": "Strangers told apart (AUROC)",
}
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of a version beside the one it shall replace.

    Attributes:
        name: of the figure or class.
        before: of the present one; None = it has no such figure.
        after: of this one.
        slack: how far it may move by chance; None where nobody can say.
        patches: a recall was measured on, None for other figures.
        kind: 'worse' beyond chance, 'better' beyond chance, else ''.
        is_share: of captures or windows, told in per cent.
    """

    name: str
    before: float | None
    after: float | None
    slack: float | None
    patches: int | None
    kind: str
    is_share: bool = False


@routes.get("/models")
def models(request: Request, wired: Wired) -> HTMLResponse:
    """All versions, and what is known of challengers."""
    found, beat = wired.models.look(), wired.pulse.beat()
    with wired.database.read() as session:
        shadows = shadow_counts(session, since=beat.now - WINDOW)
        on_routes = route_counts(session, since=beat.now - WINDOW)
        deeds = journal(session, deed="promoted", limit=20)
        counted = agreements(session)
    context = {
        "found": found,
        "champion": found.holder(wired.models.alias),
        "challenger": found.holder(CHALLENGER),
        "previous": found.holder(PREVIOUS),
        "name": wired.models.name,
        "alias": wired.models.alias,
        "shadows": [(one, _crossed(one)) for one in shadows],
        "routes": on_routes,
        "deeds": deeds,
        "days": WINDOW.days,
        "labelled": sum(counted.values()),
        "agreed": counted.get(Agreement.AGREED, 0),
        "command": training_command(wired, beat.now),
    }
    return page(request, "models.html", beat, context)


@routes.get("/models/{number}")
def model(number: str, request: Request, wired: Wired) -> HTMLResponse:
    """One version: gate report and card."""
    return _draw(request, wired, number)


@routes.post("/models/{number}/promote")
@needs(Role.ENGINEER)
def promote(
    *,
    number: str,
    request: Request,
    wired: Wired,
    caller: Caller,
    seen: Annotated[str, Form(max_length=20)] = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """The click; rolling back is a click on the version before."""
    try:
        promote_version(wired, caller, number, seen=seen or None, note=note)
    except InputError as error:
        return _draw(request, wired, number, complaint=str(error))
    return go_to("/models")


def training_command(wired: Wiring, now: datetime) -> str:
    """What an engineer types to make a challenger of today's labels; folders are named after the minute."""
    shipped = files("pipelines.recipes") / f"{wired.models.name}.yaml"
    recipe = shlex.quote(str(shipped)) if shipped.is_file() else "recipe.yaml"
    data, bundle = f"labels-{now:%Y%m%d-%H%M}", f"bundle-{now:%Y%m%d-%H%M}"
    # where nobody logs in everybody is one person, who agrees with nobody
    people = "" if wired.keys.needs_login else " --people 1"
    return (
        f"waferwatch dataset from-labels {data} --base DATA{people} && \\\n"
        f"waferwatch train {recipe} --data {data} --out {bundle} && \\\n"
        f"waferwatch release {bundle} --propose --data {data}"
    )


def _draw(request: Request, wired: Wiring, number: str, complaint: str = "") -> HTMLResponse:
    chosen = find_version(wired, number)
    opened, away = None, ""
    try:
        opened = wired.models.open(number)
    except WaferwatchError as error:  # the page has a gate report without the card, too
        away = str(error)
    context = {
        "version": chosen,
        "holder": wired.models.look().holder(wired.models.alias),
        "name": wired.models.name,
        "alias": wired.models.alias,
        "compared": compared(chosen, opened),
        "opened": opened,
        "away": away,
        "complaint": complaint,
    }
    return page(request, "model.html", wired.pulse.beat(), context, 422 if complaint else 200)


def compared(chosen: Version, opened: Opened | None) -> list[Compared]:
    """The gate report as rows: whole figures first, then the recall of each class, the worst change first."""
    after = dict(chosen.figures) | (dict(opened.manifest.metrics) if opened else {})
    before = chosen.against_figures
    whole = [
        Compared(text, before.get(key), after.get(key), None, None, "", key in _SHARES)
        for key, text in _WORDS.items()
        if key in after or key in before
    ]
    keys = sorted({key for key in (*after, *before) if key.startswith(_RECALL)})
    classes = [_recall(key.removeprefix(_RECALL), before, after) for key in keys]
    return whole + sorted(classes, key=lambda one: (one.kind != "worse", (one.after or 0) - (one.before or 0)))


def _recall(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> Compared:
    was, now = before.get(f"{_RECALL}{name}"), after.get(f"{_RECALL}{name}")
    patches = after.get(f"{_SUPPORT}{name}") or before.get(f"{_SUPPORT}{name}")
    if was is None or now is None:
        return Compared(name, was, now, None, int(patches) if patches else None, "" if was is None else "worse")
    slack = noise(was, now, patches or 0)
    kind = "worse" if now < was - slack else "better" if now > was + slack else ""
    return Compared(name, was, now, slack, int(patches or 0), kind)


def _crossed(count: ShadowCount) -> list[tuple[str, str, int]]:
    """What the two said of the captures they disagree on, the most frequent pair first."""
    pairs = [(champion, challenger, number) for (champion, challenger), number in count.words.items()]
    return sorted((one for one in pairs if one[0] != one[1]), key=lambda one: -one[2])[:8]
