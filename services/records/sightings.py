"""What rules see of a capture: a narrow view of its first inspection, live or from the records; pure rules judge both.

Later inspections of the same capture, with another bundle, are not seen: they tell of the model, not of the tool.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from models.domain.inspection import Inspection
from models.domain.verdict import Reason
from services.records.session import ReadSession, WriteSession
from services.records.tables import InspectionRow

Session = ReadSession | WriteSession

_SEEN = (
    InspectionRow.id,
    InspectionRow.capture_id,
    InspectionRow.recorded_at,
    InspectionRow.product,
    InspectionRow.step,
    InspectionRow.tool,
    InspectionRow.normal,
    InspectionRow.label,
    InspectionRow.reason,
    InspectionRow.confidence,
    InspectionRow.shown,
    InspectionRow.refused,
)
"""No more: a control chart reads hundreds of rows for one wafer, and whole ones took most of a wafer's time."""


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
    session: Session, place: Place, *, by_product: bool, since: datetime | None = None, limit: int | None = None
) -> Sequence[Sighting]:
    """The newest captures of one step and tool, or of one product there, all or those since a time; oldest first."""
    wanted = _seen().where(InspectionRow.tool.is_not_distinct_from(place.tool))
    wanted = wanted.where(InspectionRow.step.is_not_distinct_from(place.step))
    if by_product:
        wanted = wanted.where(InspectionRow.product.is_not_distinct_from(place.product))
    if since is not None:
        wanted = wanted.where(InspectionRow.recorded_at >= since)
    newest = wanted.order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc()).limit(limit)
    return [sighting_of_row(row) for row in session.execute(newest)][::-1]


def sightings(session: Session, since: datetime, until: datetime) -> Iterator[Sighting]:
    """Every capture first inspected in a stretch of time, oldest first, without holding them all."""
    wanted = _seen().where(InspectionRow.recorded_at >= since, InspectionRow.recorded_at < until)
    ordered = wanted.order_by(InspectionRow.recorded_at, InspectionRow.id).execution_options(yield_per=1000)
    yield from (sighting_of_row(row) for row in session.execute(ordered))


def _seen() -> Select[*tuple[Any, ...]]:
    return select(*_SEEN).where(InspectionRow.is_first, InspectionRow.reason != Reason.NOT_INSPECTED)


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
