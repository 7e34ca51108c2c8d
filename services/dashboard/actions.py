"""What people do on pages: decide about alerts, send files. Plain forms, answered with a redirect."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool

from models.domain.alert import AlertState, Disposition
from models.domain.errors import InputError
from services.access.roles import Principal, Role
from services.alerting.handling import StaleAlert, assign_alert, change_alert, comment_alert
from services.api.needs import needs
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.looks import go_to, own, page
from services.dashboard.pages import alert_page

routes = APIRouter(include_in_schema=False)


@routes.post("/alerts/{alert_id}/acknowledge")
@needs(Role.OPERATOR)
def acknowledge(
    *,
    alert_id: int,
    request: Request,
    wired: Wired,
    caller: Caller,
    version: Annotated[int, Form()],
    back: Annotated[str, Form()] = "/alerts",
) -> Response:
    """The button in the list."""
    return _fulfil(request, wired, caller, _Wish(alert_id, version, AlertState.ACKNOWLEDGED), own(back))


@routes.post("/alerts/{alert_id}/change")
@needs(Role.OPERATOR)
def change(
    *,
    alert_id: int,
    request: Request,
    wired: Wired,
    caller: Caller,
    version: Annotated[int, Form()],
    to: Annotated[str, Form()],
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """The forms on the alert's page: `to` is a state, or a reason code, which names the state it closes with."""
    reason = Disposition(to) if to in set(Disposition) else None
    if reason is not None:
        state = AlertState.FALSE_ALARM if reason.is_false_alarm else AlertState.RESOLVED
    elif to in set(AlertState):
        state = AlertState(to)
    else:
        raise InputError("not a state of an alert", where="to", expected=" | ".join(AlertState), got=to[:40])
    wish = _Wish(alert_id, version, state, note.strip(), reason)
    return _fulfil(request, wired, caller, wish, f"/alerts/{alert_id}")


@routes.post("/alerts/{alert_id}/assign")
@needs(Role.OPERATOR)
def assign(
    *,
    alert_id: int,
    request: Request,
    wired: Wired,
    caller: Caller,
    version: Annotated[int, Form()],
    to: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Say who works on it."""
    try:
        with wired.database.write() as session:
            assign_alert(session, alert_id, version=version, to=to.strip(), actor=caller.name)
    except StaleAlert as error:
        return alert_page(request, wired, alert_id, stale=f"It is {error.complaint.got} now.")
    wired.pulse.forget()
    return go_to(f"/alerts/{alert_id}")


@routes.post("/alerts/{alert_id}/comment")
@needs(Role.OPERATOR)
def comment(alert_id: int, wired: Wired, caller: Caller, text: Annotated[str, Form(max_length=2000)] = "") -> Response:
    """Add to the history."""
    if text.strip():
        with wired.database.write() as session:
            comment_alert(session, alert_id, text=text, actor=caller.name)
    return go_to(f"/alerts/{alert_id}")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody wants to become of an alert."""

    alert_id: int
    version: int
    to: AlertState
    note: str = ""
    reason: Disposition | None = None


def _fulfil(request: Request, wired: Wiring, caller: Principal, wish: _Wish, back: str) -> Response:
    try:
        with wired.database.write() as session:
            changed = change_alert(
                session,
                wish.alert_id,
                version=wish.version,
                to=wish.to,
                actor=caller.name,
                note=wish.note,
                disposition=wish.reason,
            )
    except StaleAlert as error:
        return alert_page(request, wired, wish.alert_id, stale=f"It is {error.complaint.got} now.")
    wired.metrics.decided(changed)
    wired.pulse.forget()
    return go_to(back)


@routes.get("/upload")
@needs(Role.INGEST)
def upload_form(request: Request, wired: Wired) -> Response:
    """Where to send a file."""
    return _upload_page(request, wired)


@routes.post("/upload")
@needs(Role.INGEST)
async def upload(request: Request, wired: Wired, caller: Caller, file: UploadFile) -> Response:
    """Take a file in and show its way."""
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    if not name:
        return _upload_page(request, wired, "Choose a file first.")
    try:
        accepted = await run_in_threadpool(wired.accept, file.file, name=name, sender=caller.name, arrival=None)
    except InputError as error:
        return _upload_page(request, wired, str(error))
    wired.pulse.forget()
    return go_to(f"/jobs/{accepted.job_id}")


def _upload_page(request: Request, wired: Wiring, complaint: str = "") -> Response:
    context = {
        "complaint": complaint,
        "watch_dir": wired.settings.watch_dir,
        "base": str(request.base_url).rstrip("/"),
    }
    return page(request, "upload.html", wired.pulse.beat(), context, 422 if complaint else 200)
