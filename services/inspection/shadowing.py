"""A challenger's look at a capture that was inspected: only while no job waits, and nobody acts on what it says."""

import logging
import threading
from collections.abc import Sequence

from models.domain.errors import InputError, RetryableError, WaferwatchError
from models.domain.inspection import Inspection
from models.domain.verdict import Verdict
from pipelines.ingestion import open_captures
from services.inspection.inspecting import inspect
from services.inspection.outage import Classifiers
from services.inspection.workplace import Workplace
from services.jobs import is_due
from services.records import queries
from services.records.route_tables import ShadowOutcome
from services.records.views import InspectionDetail
from services.routing.shadows import (
    ShadowTask,
    answer,
    claim_shadow,
    compare,
    fail_shadow,
    put_back,
)

log = logging.getLogger(__name__)

PAUSE_S = 30.0
"""Until a look is tried again whose challenger was down or is not there yet."""


class _GivesWay(Exception):  # noqa: N818 - it is none that leaves this module
    """A job waits, or the worker stops."""


def shadow_once(place: Workplace, classifiers: Classifiers, stop: threading.Event) -> ShadowOutcome | None:
    """Let a challenger have one look; None if none is owed, or if production came in between.

    Args:
        place: where to work.
        classifiers: the classifier of a route.
        stop: when set, the look is put back.

    Raises:
        RetryableError: the database is away.
    """
    with place.database.write() as session:
        task = claim_shadow(session)
    if task is None:
        return None
    try:
        outcome = _look(place, task, classifiers, stop)
    except (_GivesWay, RetryableError) as reason:
        log.debug("shadow of %s waits: %s", task.inspection_id, reason)
        with place.database.write() as session:
            put_back(session, task, 0.0 if isinstance(reason, _GivesWay) else PAUSE_S)
        return None
    except Exception as error:  # noqa: BLE001 - whatever a challenger does wrong, it is written down
        log.warning("challenger %s cannot judge %s: %s", task.route, task.file_name, error)
        outcome = ShadowOutcome.FAILED
        with place.database.write() as session:
            fail_shadow(session, task, error.code if isinstance(error, WaferwatchError) else "unexpected")
    if place.observer is not None:
        place.observer.shadowed(task.route, outcome)
    return outcome


def _look(place: Workplace, task: ShadowTask, classifiers: Classifiers, stop: threading.Event) -> ShadowOutcome:
    def give_way(_: Sequence[Verdict]) -> None:
        with place.database.read() as session:
            if stop.is_set() or is_due(session, place.policy):
                raise _GivesWay("a job waits")

    spooled = place.spool.path(task.sha256)
    readers = open_captures(spooled, limits=place.limits, options=place.options, sha256=task.sha256)
    reader = next((one for one in readers if one.capture.id == task.capture_id), None)
    if reader is None:
        raise InputError("capture is not in its file any more", where=task.file_name, code="no-such-capture")
    challenger: Inspection = inspect(reader, classifiers(task.route, is_shadow=True), progress=give_way)
    with place.database.read() as session:
        champion = queries.inspection(session, task.inspection_id)
    if champion is None:
        raise InputError("inspection is gone", where=task.inspection_id, code="no-such-inspection")
    with place.database.write() as writing:
        return answer(writing, task, challenger, compare(_as_recorded(champion), challenger))


def _as_recorded(detail: InspectionDetail) -> Inspection:
    line = detail.summary
    return Inspection(line.capture, line.bundle, detail.verdicts, line.normal, line.started_at, line.duration_s)
