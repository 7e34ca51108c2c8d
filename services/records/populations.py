"""What a bundle has judged lately, as arrays: to compare with what it was calibrated on."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from models.domain.verdict import Reason
from services.records.sightings import Session
from services.records.tables import CaptureRow, InspectionRow, LooksRow, VerdictRow

_OF_A_LOT = 3
"""Captures of one lot that count: its wafers are alike, and the tests want independent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class RecentPopulation:
    """The newest captures a bundle judged whole, few of each lot.

    Attributes:
        likeliest: (M,) the likeliest class, stated or not.
        confidence: float64 (M,).
        novelty: float64 (M,).
        embeddings: float32 (M, D).
        latest: when the newest of them was recorded.
    """

    likeliest: tuple[str, ...]
    confidence: NDArray[np.float64]
    novelty: NDArray[np.float64]
    embeddings: NDArray[np.float32]
    latest: datetime

    def __len__(self) -> int:
        """Number of captures."""
        return len(self.likeliest)


def bundles_in_use(session: Session, since: datetime, until: datetime) -> tuple[tuple[str, str], ...]:
    """Digest of each bundle that recorded something in between, and what people call it."""
    wanted = select(InspectionRow.bundle_digest, InspectionRow.bundle_name, InspectionRow.bundle_version)
    found = session.execute(wanted.where(InspectionRow.recorded_at.between(since, until)).distinct()).tuples()
    return tuple(sorted((digest, f"{name} v{version}") for digest, name, version in found))


def recent_population(session: Session, digest: str, until: datetime, last: int) -> RecentPopulation | None:
    """At most `last` captures of a bundle up to a moment; None if there is none."""
    wanted = (
        select(
            VerdictRow.likeliest,
            InspectionRow.confidence,
            InspectionRow.novelty,
            LooksRow.embedding,
            CaptureRow.lot,
            InspectionRow.recorded_at,
        )
        .join(LooksRow, LooksRow.inspection_id == InspectionRow.id)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .join(
            VerdictRow,
            (VerdictRow.inspection_id == InspectionRow.id)
            & (VerdictRow.recorded_at == InspectionRow.recorded_at)
            & (VerdictRow.level == 0),
        )
        .where(InspectionRow.bundle_digest == digest, InspectionRow.recorded_at <= until)
        .where(InspectionRow.reason != Reason.NOT_INSPECTED)
        .order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc())
        .limit(last * 8)
    )
    of_lot: Counter[str] = Counter()
    rows = []
    for row in session.execute(wanted).tuples():
        lot = row[4]
        if lot is not None:
            of_lot[lot] += 1
        if lot is None or of_lot[lot] <= _OF_A_LOT:
            rows.append(row)
        if len(rows) == last:
            break
    if not rows:
        return None
    return RecentPopulation(
        likeliest=tuple(row[0] or "" for row in rows),
        confidence=np.array([row[1] for row in rows]),
        novelty=np.array([row[2] for row in rows]),
        embeddings=np.stack([np.frombuffer(row[3], "<f4") for row in rows]),
        latest=rows[0][5],
    )
