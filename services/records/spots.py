"""Unknown places of frames, for pages and data sets; a place counts as its frame's newest inspection saw it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import aliased

from models.domain.capture import Capture
from models.domain.label import Agreement
from models.domain.tiling import Window
from services.records.reading import capture, window
from services.records.session import ReadSession
from services.records.tables import CaptureRow, InspectionRow, OpinionRow, SpotRow


@dataclass(frozen=True, slots=True)
class SpotLine:
    """An unknown place of a frame.

    Attributes:
        inspection_id: of the frame.
        capture: what was cut out; labels are of it.
        window: where.
        novelty: higher is stranger.
        likeliest: the class it would have been forced into.
        recorded_at: when the frame was.
    """

    inspection_id: str
    capture: Capture
    window: Window
    novelty: float
    likeliest: str | None
    recorded_at: datetime

    @property
    def id(self) -> str:
        """By which it is named."""
        return self.capture.id

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) as fractions of the frame."""
        return self.window.box


def spot_lines(session: ReadSession, ids: Collection[str]) -> dict[str, SpotLine]:
    """Places by the id of what was cut out; of several inspections the newest."""
    wanted = _spots().where(SpotRow.capture_id.in_(ids)).order_by(SpotRow.recorded_at, SpotRow.inspection_id)
    return {spot.capture_id: _line(spot, of) for spot, of in session.execute(wanted).tuples()}


def unnamed_spots(session: ReadSession, *, reader: str, limit: int) -> tuple[SpotLine, ...]:
    """Places that wait for this person's word, the newest frames first, the strangest of a frame first.

    Nobody has named them, or one other person has: what one alone said is no example for training yet, and whoever is
    second does not see it.
    """
    told = (OpinionRow.agreement != Agreement.WAITING) | (OpinionRow.only_author == reader)
    settled = select(OpinionRow.name).where(OpinionRow.capture_id == SpotRow.capture_id, told)
    wanted = _spots().where(~settled.exists(), ~is_outdated().exists()).limit(limit)
    ordered = wanted.order_by(SpotRow.recorded_at.desc(), SpotRow.inspection_id, SpotRow.novelty.desc())
    return tuple(_line(spot, of) for spot, of in session.execute(ordered).tuples())


def frames_of(session: ReadSession, ids: Collection[str]) -> dict[str, tuple[str, Window]]:
    """Of places of frames, by id: the frame's capture, and where on it."""
    wanted = (
        select(SpotRow, InspectionRow.capture_id)
        .join(InspectionRow, InspectionRow.id == SpotRow.inspection_id)
        .where(SpotRow.capture_id.in_(ids))
    )
    return {spot.capture_id: (frame, window(spot)) for spot, frame in session.execute(wanted).tuples()}


def is_outdated() -> Select[str]:
    """Inspections of the frame of a `SpotRow` that came after the one the row is of; use it with `.exists()`."""
    own, newer = aliased(InspectionRow), aliased(InspectionRow)
    later = tuple_(newer.recorded_at, newer.id) > tuple_(own.recorded_at, own.id)
    return select(newer.id).where(own.id == SpotRow.inspection_id, newer.capture_id == own.capture_id, later)


def _spots() -> Select[SpotRow, CaptureRow]:
    return select(SpotRow, CaptureRow).join(CaptureRow, CaptureRow.id == SpotRow.capture_id)


def _line(spot: SpotRow, of: CaptureRow) -> SpotLine:
    return SpotLine(
        inspection_id=spot.inspection_id,
        capture=capture(of),
        window=window(spot),
        novelty=spot.novelty,
        likeliest=spot.likeliest,
        recorded_at=spot.recorded_at,
    )
