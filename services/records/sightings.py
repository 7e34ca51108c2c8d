"""What rules see of a capture: a narrow view of its first inspection, live or from the records; pure rules judge both.

Later inspections of the same capture, with another bundle, are not seen: they tell of the model, not of the tool.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, select

from models.domain.inspection import Inspection
from models.domain.verdict import Reason
from services.records.session import ReadSession, WriteSession
from services.records.tables import InspectionRow, table_of

Session = ReadSession | WriteSession

_COLUMNS = table_of(InspectionRow).c
_WHOLE = ("id", "capture_id", "recorded_at", "product", "step", "tool", "normal", "label", "reason", "confidence")
_WINDOWS = ("shown", "refused")
_LONG_AGO, _ALL = datetime(1970, 1, 1, tzinfo=UTC), 1 << 31


@dataclass(frozen=True, slots=True)
class Place:
    """Where a capture comes from, as far as its file says."""

    product: str | None
    step: str | None
    tool: str | None

    def __str__(self) -> str:
        """For people."""
        return " · ".join(part for part in (self.product, self.step, self.tool) if part)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What rules see of a capture.

    Attributes:
        inspection_id: its first inspection.
        capture_id: the capture.
        at: when the inspection was recorded.
        place: where it comes from.
        normal: the bundle's label for "nothing to act on".
        label: the capture's own label; None = unknown or not inspected.
        reason: why.
        shown: defect classes on any window, each with its greatest confidence.
        refused: why windows were refused a label.
    """

    inspection_id: str
    capture_id: str
    at: datetime
    place: Place
    normal: str | None
    label: str | None
    reason: Reason
    shown: Mapping[str, float]
    refused: frozenset[Reason]

    @property
    def is_unknown(self) -> bool:
        """The capture itself was refused a label."""
        return self.label is None and self.reason is not Reason.NOT_INSPECTED

    @property
    def is_failing(self) -> bool:
        """Somebody has to look at it."""
        return self.is_unknown or (self.label is not None and self.label != self.normal)


def sighting_of(inspection: Inspection, at: datetime) -> Sighting:
    """The view of an inspection that is being recorded."""
    origin, own = inspection.capture.provenance, inspection.verdict
    return Sighting(
        inspection.id,
        inspection.capture.id,
        at,
        Place(origin.product, origin.step, origin.tool),
        inspection.normal,
        own.label,
        own.reason,
        inspection.shown,
        inspection.refused,
    )


def newest_of_stream(
    session: Session,
    place: Place,
    *,
    by_product: bool,
    since: datetime = _LONG_AGO,
    limit: int = _ALL,
    windows: bool = True,
) -> Sequence[Sighting]:
    """The newest captures of one step and tool, or of one product there; oldest first.

    Args:
        session: reads.
        place: of the stream.
        by_product: one product's.
        since: those recorded from then on.
        limit: as many.
        windows: with what single windows show. A control chart reads hundreds of captures for one wafer, and most of
            the time of that goes into what it does not ask for.
    """
    given = {"product": place.product, "step": place.step, "tool": place.tool, "since": since, "most": limit}
    make = sighting_of_row if windows else _without_windows
    return [make(row) for row in session.execute(_newest(by_product, windows), given)][::-1]


@cache
def _newest(by_product: bool, windows: bool) -> Select[Any]:
    parts = ("tool", "step", "product") if by_product else ("tool", "step")
    return (
        _seen(windows=windows)
        .where(*(_COLUMNS[name].is_not_distinct_from(bindparam(name)) for name in parts))
        .where(_COLUMNS.recorded_at >= bindparam("since"))
        .order_by(_COLUMNS.recorded_at.desc(), _COLUMNS.id.desc())
        .limit(bindparam("most"))
    )


def sightings(session: Session, since: datetime, until: datetime) -> Iterator[Sighting]:
    """Every capture first inspected in a stretch of time, oldest first, without holding them all."""
    wanted = _seen(windows=True).where(_COLUMNS.recorded_at >= since, _COLUMNS.recorded_at < until)
    ordered = wanted.order_by(_COLUMNS.recorded_at, _COLUMNS.id).execution_options(yield_per=1000)
    yield from (sighting_of_row(row) for row in session.execute(ordered))


def _seen(*, windows: bool) -> Select[Any]:
    names = _WHOLE + (_WINDOWS if windows else ())
    return select(*(_COLUMNS[name] for name in names)).where(_COLUMNS.is_first, _COLUMNS.reason != Reason.NOT_INSPECTED)


def sighting_of_row(row: Row[Any] | InspectionRow) -> Sighting:
    """The view of an inspection on record."""
    shown, refused = row.shown, row.refused
    if shown is None or refused is None:  # recorded before rules looked at windows: what the capture itself was given
        is_defect = row.label is not None and row.label != row.normal
        shown = {str(row.label): row.confidence} if is_defect else {}
        refused = [row.reason.value] if row.label is None else []
    return Sighting(
        row.id,
        row.capture_id,
        row.recorded_at,
        Place(row.product, row.step, row.tool),
        row.normal,
        row.label,
        row.reason,
        shown,
        frozenset(map(Reason, refused)),
    )


def _without_windows(row: Row[Any]) -> Sighting:
    place = Place(row.product, row.step, row.tool)
    return Sighting(row.id, row.capture_id, row.recorded_at, place, row.normal, row.label, row.reason, {}, frozenset())
