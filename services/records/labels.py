"""What people say captures show: added, never changed; the newest word counts. Training takes its truth from here."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from models.domain.errors import InputError
from services.records.opinions import weigh
from services.records.reading import inspection_summary
from services.records.session import ReadSession, WriteSession, now
from services.records.tables import IS_REFUSED, CaptureRow, InspectionRow, LabelRow, OpinionRow, SourceFileRow, SpotRow
from services.records.views import Cursor, InspectionSummary, Page

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Labelled:
    """A capture with the newest word about it.

    Attributes:
        number: of the word.
        capture_id: which capture.
        sha256: its file in the spool.
        capture_name: what people call it.
        lot: for splitting; lots must not be torn apart.
        name: the class.
        author: who said so.
        note: why.
        at: when.
    """

    number: int
    capture_id: str
    sha256: str
    capture_name: str
    lot: str | None
    name: str
    author: str
    note: str
    at: datetime


def add_labels(
    session: WriteSession, inspection_ids: Collection[str], *, name: str, author: str, note: str = ""
) -> int:
    """Say what the captures of some inspections show; returns how many captures that were.

    Args:
        session: the transaction it belongs to.
        inspection_ids: of places of frames the places' own ids.
        name: the class.
        author: who says so.
        note: why.

    Raises:
        InputError: no name, too long a one, or an inspection that does not exist.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(
            "not a class name", expected=f"1 to {LONGEST_NAME} printable characters", got=name[:100], code="label-name"
        )
    whole = select(InspectionRow.capture_id).where(InspectionRow.id.in_(inspection_ids))
    wanted = whole.union(select(SpotRow.capture_id).where(SpotRow.capture_id.in_(inspection_ids)))
    # Locked in one order, so that two who speak of the same captures are both heard and neither waits for ever.
    locked = select(CaptureRow.id).where(CaptureRow.id.in_(wanted)).order_by(CaptureRow.id)
    captures = session.scalars(locked.with_for_update(key_share=True)).all()
    if not captures:
        raise InputError("no such inspection", got=", ".join(inspection_ids)[:200], code="no-such-inspection")
    moment = now(session)
    session.add_all(LabelRow(capture_id=one, name=name, author=author, note=note, at=moment) for one in captures)
    session.flush()
    weigh(session, captures)
    judged = update(InspectionRow).where(InspectionRow.capture_id.in_(captures), ~InspectionRow.is_labelled)
    session.execute(judged.values(is_labelled=True).execution_options(synchronize_session=False))
    return len(captures)


def labels(session: ReadSession, *, limit: int | None = 50, after: Cursor | None = None) -> Page[Labelled]:
    """The newest word about every labelled capture, the last one said first; without a limit all of them."""
    wanted = (
        select(LabelRow, CaptureRow)
        .join(OpinionRow, OpinionRow.label_id == LabelRow.id)
        .join(CaptureRow, CaptureRow.id == OpinionRow.capture_id)
        .order_by(OpinionRow.label_id.desc())
        .limit(limit and limit + 1)
    )
    if after is not None:
        wanted = wanted.where(OpinionRow.label_id < after.number)
    found = [_labelled(row, of) for row, of in session.execute(wanted).tuples()]
    return Page.cut(found, limit, lambda one: Cursor(one.at, str(one.number)))


def label_of(session: ReadSession, capture_id: str) -> Labelled | None:
    """The newest word about one capture; None if nobody said anything."""
    wanted = (
        select(LabelRow, CaptureRow)
        .join(CaptureRow, CaptureRow.id == LabelRow.capture_id)
        .where(LabelRow.capture_id == capture_id)
        .order_by(LabelRow.id.desc())
        .limit(1)
    )
    found = session.execute(wanted).tuples().first()
    if found is None:
        return None
    return _labelled(*found)


def _labelled(row: LabelRow, of: CaptureRow) -> Labelled:
    return Labelled(row.id, row.capture_id, of.sha256, of.name, of.lot, row.name, row.author, row.note, row.at)


def unnamed(session: ReadSession, *, limit: int = 200) -> tuple[InspectionSummary, ...]:
    """Captures that were refused a label and that nobody has named yet, the newest inspection first.

    A frame whose unknown places are asked about one by one is not asked about as a whole.
    """
    by_place = select(SpotRow.capture_id).where(SpotRow.inspection_id == InspectionRow.id)
    wanted = (
        select(InspectionRow, CaptureRow, SourceFileRow)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .join(SourceFileRow, SourceFileRow.sha256 == CaptureRow.sha256)
        .where(IS_REFUSED, ~select(OpinionRow.name).where(OpinionRow.capture_id == InspectionRow.capture_id).exists())
        .where(~by_place.exists())
        .order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc())
        .limit(limit)
    )
    return tuple(inspection_summary(*row) for row in session.execute(wanted).tuples())


def names_in_use(session: ReadSession) -> tuple[str, ...]:
    """Every class name people gave so far, in alphabetical order."""
    return tuple(session.scalars(select(LabelRow.name).distinct().order_by(LabelRow.name)))
