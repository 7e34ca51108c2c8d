"""Clusters of unknown captures: whom to group, how a new grouping replaces the last, and what pages show of it.

Named captures stay in their cluster until a model knows them: what arrives later and looks alike can then be told what
the others were called.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, delete, func, insert, select, text, true, tuple_, update
from sqlalchemy.orm import aliased

from models.clusters import heirs
from services.records.session import ReadSession, WriteSession, now
from services.records.spots import is_outdated
from services.records.tables import (
    IS_REFUSED,
    ClusterMemberRow,
    ClusterRow,
    InspectionRow,
    LabelRow,
    LooksRow,
    OpinionRow,
    SpotRow,
)

MOST = 2000
"""Newest unknown captures that are grouped: a second of work, and more than a person will look at."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """An unknown capture by its newest inspection, and the latent space it lies in; or an unknown place of a frame.

    Attributes:
        capture_id: of the capture, or of what was cut out.
        inspection_id: of the capture, or of the frame.
        bundle_digest: of the bundle that refused it.
        is_spot: whether it is a place of a frame.
    """

    capture_id: str
    inspection_id: str
    bundle_digest: str
    is_spot: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Unknown captures that look alike.

    Attributes:
        number: stays the same while most of them stay together.
        opened_at: when the first of them were grouped.
        members: ids of their inspections, of places of frames the places' own; the medoid's first, then by distance
            from it.
        names: what people called some of them, and how many.
        unnamed: the members that nobody has named, in the same order.
    """

    number: int
    opened_at: datetime
    members: tuple[str, ...]
    names: Mapping[str, int]
    unnamed: tuple[str, ...]

    @property
    def name(self) -> str | None:
        """What most named members are called; None if nobody named one."""
        return max(self.names, key=lambda name: self.names[name], default=None)


def strangers(session: ReadSession, *, limit: int = MOST) -> tuple[Stranger, ...]:
    """Captures seen whole whose newest inspection refused them a label, and unknown places of frames; newest first."""
    newer = aliased(InspectionRow)
    later = tuple_(newer.recorded_at, newer.id) > tuple_(InspectionRow.recorded_at, InspectionRow.id)
    judged_since = select(newer.id).where(newer.capture_id == InspectionRow.capture_id, later)
    wanted = (
        select(InspectionRow.capture_id, InspectionRow.id, InspectionRow.bundle_digest)
        .join(LooksRow, LooksRow.inspection_id == InspectionRow.id)
        .where(IS_REFUSED, ~judged_since.exists())
        .order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc())
        .limit(limit)
    )
    places = (
        select(SpotRow.capture_id, SpotRow.inspection_id, InspectionRow.bundle_digest, true())
        .join(InspectionRow, InspectionRow.id == SpotRow.inspection_id)
        .where(~is_outdated().exists())
        .order_by(SpotRow.recorded_at.desc(), SpotRow.inspection_id, SpotRow.novelty.desc())
        .limit(limit)
    )
    return tuple(Stranger(*row) for asked in (wanted, places) for row in session.execute(asked).tuples())


def looks(session: ReadSession, of: Sequence[Stranger]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings, float32 (N, D), and shapes, (N, S), of captures judged with one bundle, in their order."""
    ids = {one.inspection_id for one in of}
    found: dict[tuple[str, str | None], LooksRow | SpotRow] = {
        (row.inspection_id, None): row
        for row in session.scalars(select(LooksRow).where(LooksRow.inspection_id.in_(ids)))
    }
    places = session.scalars(select(SpotRow).where(SpotRow.inspection_id.in_(ids)))
    found |= {(row.inspection_id, row.capture_id): row for row in places}
    rows = [found[one.inspection_id, one.capture_id if one.is_spot else None] for one in of]
    return _stacked([row.embedding for row in rows]), _stacked([row.shape for row in rows])


def _stacked(vectors: Sequence[bytes]) -> NDArray[np.float32]:
    return np.stack([np.frombuffer(one, "<f4") for one in vectors])


def regroup(session: WriteSession, found: Sequence[Sequence[Stranger]]) -> None:
    """Replace the grouping: old clusters keep their numbers where they live on, the others point to their heirs.

    Args:
        session: the transaction it belongs to.
        found: the strangers of each cluster, the medoid first.
    """
    if session.get_bind().dialect.name != "sqlite":  # which lets one transaction write at a time anyway
        session.execute(text("LOCK TABLE cluster_member IN SHARE ROW EXCLUSIVE MODE"))
    old: dict[int, set[str]] = defaultdict(set)
    for member in session.scalars(select(ClusterMemberRow)):
        old[member.cluster_id].add(member.capture_id)
    inherits = heirs(old, [{one.capture_id for one in group} for group in found])
    numbers: dict[int, int] = {}
    for number, k in inherits.items():
        numbers.setdefault(k, number)
    moment = now(session)
    for k in range(len(found)):
        if k not in numbers:
            opened = insert(ClusterRow).values(opened_at=moment).returning(ClusterRow.id)
            numbers[k] = session.execute(opened).scalar_one()
    for number, k in inherits.items():
        if numbers[k] != number:
            session.execute(update(ClusterRow).where(ClusterRow.id == number).values(merged_into=numbers[k]))
    session.execute(delete(ClusterMemberRow))
    rows = [
        {"capture_id": one.capture_id, "inspection_id": one.inspection_id, "cluster_id": numbers[k], "rank": rank}
        for k, group in enumerate(found)
        for rank, one in enumerate(group)
    ]
    if rows:
        session.execute(insert(ClusterMemberRow), rows)


def clusters(session: ReadSession) -> tuple[Cluster, ...]:
    """Clusters with captures that nobody has named, those with most of them first."""
    waiting = [one for one in _clusters(session) if one.unnamed]
    return tuple(sorted(waiting, key=lambda one: (-len(one.unnamed), one.number)))


def cluster(session: ReadSession, number: int) -> Cluster | None:
    """One cluster, or the one that took its captures over; None if there is none, or it fell apart."""
    row = session.get(ClusterRow, number)
    while row is not None and row.merged_into is not None:
        row = session.get(ClusterRow, row.merged_into)
    return None if row is None else next(iter(_clusters(session, ClusterRow.id == row.id)), None)


def clustered(session: ReadSession, capture_ids: Collection[str]) -> Mapping[str, int]:
    """Number of the cluster by capture, for those that are in one."""
    wanted = select(ClusterMemberRow.capture_id, ClusterMemberRow.cluster_id)
    return dict(session.execute(wanted.where(ClusterMemberRow.capture_id.in_(capture_ids))).tuples().all())


def _clusters(session: ReadSession, *which: ColumnElement[bool]) -> list[Cluster]:
    is_place = and_(
        SpotRow.inspection_id == ClusterMemberRow.inspection_id, SpotRow.capture_id == ClusterMemberRow.capture_id
    )
    member = func.coalesce(SpotRow.capture_id, ClusterMemberRow.inspection_id)
    wanted = (
        select(ClusterRow.id, ClusterRow.opened_at, member, LabelRow.name)
        .join(ClusterMemberRow, ClusterMemberRow.cluster_id == ClusterRow.id)
        .outerjoin(SpotRow, is_place)
        .outerjoin(OpinionRow, OpinionRow.capture_id == ClusterMemberRow.capture_id)
        .outerjoin(LabelRow, LabelRow.id == OpinionRow.label_id)
        .where(*which)
        .order_by(ClusterRow.id, ClusterMemberRow.rank)
    )
    found: dict[int, list[tuple[str | None, str]]] = defaultdict(list)
    opened: dict[int, datetime] = {}
    for number, at, id_, name in session.execute(wanted).tuples():
        opened[number] = at
        found[number].append((name, id_))
    return [
        Cluster(
            number=number,
            opened_at=opened[number],
            members=tuple(one for _, one in members),
            names=Counter(name for name, _ in members if name is not None),
            unnamed=tuple(one for name, one in members if name is None),
        )
        for number, members in found.items()
    ]
