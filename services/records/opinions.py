"""What people make of captures, weighed anew with each word: what lists, queues and data sets are made from."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import func, select

from models.domain.capture import CaptureKind
from models.domain.label import PEOPLE, Agreement, Opinion, Word, agreement, opinion
from models.domain.tiling import Window
from services.records.session import ReadSession, WriteSession
from services.records.spots import frames_of
from services.records.tables import CaptureRow, LabelRow, OpinionRow
from services.records.upsert import insert_into
from services.records.views import UNTIMED, Cursor, Page


@dataclass(frozen=True, slots=True)
class LabelledCapture:
    """A capture and what people make of it.

    Attributes:
        capture_id: which capture.
        sha256: its file in the spool.
        capture_name: what people call it.
        lot: for splitting; lots must not be torn apart.
        opinion: what they say.
        kind: wafer or image.
        part_of: the frame, and where on it, if it is a place of one.
    """

    capture_id: str
    sha256: str
    capture_name: str
    lot: str | None
    opinion: Opinion
    kind: CaptureKind
    part_of: tuple[str, Window] | None = None


def weigh(session: WriteSession, capture_ids: Collection[str]) -> None:
    """Write down anew what people make of these captures, in the transaction that adds a word.

    The captures must be locked (`labels.add_labels`), or of two people who speak at once one would not be heard.
    """
    said = session.scalars(
        select(LabelRow).where(LabelRow.capture_id.in_(capture_ids)).order_by(LabelRow.capture_id, LabelRow.id)
    )
    rows = [_row(list(words)) for _, words in groupby(said, key=lambda word: word.capture_id)]
    statement = insert_into(session, OpinionRow).values(rows)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in ("capture_id", "first_id")}
    session.execute(statement.on_conflict_do_update(index_elements=[OpinionRow.capture_id], set_=changed))


def _row(words: list[LabelRow]) -> dict[str, object]:
    found = opinion([Word(one.name, one.author) for one in words])
    assert found is not None
    return {
        "capture_id": words[0].capture_id,
        "label_id": words[-1].id,
        "first_id": words[0].id,
        "name": found.name,
        "supporters": found.supporters,
        "people": found.people,
        "names": found.names,
        "agreement": found.agreement,
        "only_author": words[0].author if found.people == 1 else None,
    }


def opinions(
    session: ReadSession, needed: int = PEOPLE, *, limit: int = 50, after: Cursor | None = None
) -> Page[LabelledCapture]:
    """Captures people said something about, with what they make of them; in the order of their ids.

    Args:
        session: reads.
        needed: how many must say the same to agree.
        limit: how many captures.
        after: where the page before ended.
    """
    wanted = (
        select(OpinionRow, CaptureRow)
        .join(CaptureRow, CaptureRow.id == OpinionRow.capture_id)
        .order_by(OpinionRow.capture_id)
        .limit(limit + 1)
    )
    if after is not None:
        wanted = wanted.where(OpinionRow.capture_id > after.id)
    rows = session.execute(wanted).tuples().all()
    parts = frames_of(session, [of.id for _, of in rows])
    found = [_labelled(row, of, needed, parts.get(of.id)) for row, of in rows]
    return Page.cut(found, limit, lambda one: Cursor(UNTIMED, one.capture_id))


def labelled(session: ReadSession, needed: int = PEOPLE) -> Iterator[LabelledCapture]:
    """Every capture people said something about, page by page."""
    page = opinions(session, needed, limit=1000)
    yield from page.items
    while page.next is not None:
        page = opinions(session, needed, limit=1000, after=page.next)
        yield from page.items


def _labelled(row: OpinionRow, of: CaptureRow, needed: int, part_of: tuple[str, Window] | None) -> LabelledCapture:
    agreed = agreement(row.supporters, row.people, row.names, needed)
    found = Opinion(row.name, row.supporters, row.people, row.names, agreed)
    return LabelledCapture(of.id, of.sha256, of.name, of.lot, found, of.kind, part_of)


def words_about(session: ReadSession, capture_id: str) -> tuple[Word, ...]:
    """What each person said of a capture, oldest first."""
    wanted = select(LabelRow.name, LabelRow.author).where(LabelRow.capture_id == capture_id).order_by(LabelRow.id)
    return tuple(Word(name, author) for name, author in session.execute(wanted).tuples())


def agreements(session: ReadSession) -> dict[Agreement, int]:
    """How many captures people are how far with."""
    counted = select(OpinionRow.agreement, func.count()).group_by(OpinionRow.agreement)
    return dict(session.execute(counted).tuples().all())


def classes(session: ReadSession) -> list[tuple[str, int]]:
    """What captures are called by most people, and how many are, the most frequent first."""
    number = func.count()
    counted = select(OpinionRow.name, number).group_by(OpinionRow.name).order_by(number.desc(), OpinionRow.name)
    return list(session.execute(counted).tuples())
