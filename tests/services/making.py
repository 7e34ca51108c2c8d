"""Small domain objects and rows for tests."""

import hashlib
from datetime import UTC, datetime

from models.domain.capture import Capture, CaptureKind, Provenance, capture_id
from models.domain.inspection import BundleRef, Inspection
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason, Verdict
from services.jobs import Lease, LeasePolicy, claim, complete, enqueue
from services.records.session import Database, now
from services.records.store import add_inspection
from services.records.tables import SourceFileRow
from services.records.upsert import insert_new

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
POLICY = LeasePolicy(lease_s=30, max_attempts=3, backoff_s=2, backoff_limit_s=60)
BUNDLE = BundleRef("wafer", "3", "b" * 64)
WHOLE = Window(Level(0, 64, 64), 0, 0, 64, 64)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def verdict(label: str | None = "Scratch", *, reason: Reason | None = None, **parts: object) -> Verdict:
    values: dict[str, object] = {
        "window": WHOLE,
        "label": label,
        "confidence": 0.9,
        "novelty": 1.5,
        "reason": reason or (Reason.CONFIDENT if label else Reason.NOVEL),
        "likeliest": label or "Ring",
    }
    return Verdict(**values | parts)  # type: ignore[arg-type]


def capture(content: str = "wafer", ordinal: int = 0, count: int = 1, **provenance: object) -> Capture:
    origin = Provenance(**{"lot": "LOT7", "wafer": "03", "product": "P1", "step": "ETCH", "tool": "T9"} | provenance)  # type: ignore[arg-type]
    return Capture(
        id=capture_id(sha(content), ordinal, count),
        kind=CaptureKind.WAFER,
        name=f"{content}.001",
        height=300_000.0,
        width=300_000.0,
        provenance=origin,
    )


def inspection(
    of: Capture | None = None, *verdicts: Verdict, bundle: BundleRef = BUNDLE, normal: str | None = "Normal"
) -> Inspection:
    return Inspection(
        capture=of or capture(),
        bundle=bundle,
        verdicts=verdicts or (verdict(),),
        normal=normal,
        started_at=NOON,
        duration_s=0.25,
    )


def add_job(database: Database, content: str = "wafer", route: str = "champion", **options: object) -> int:
    """A source file and a job for it."""
    with database.write() as session:
        insert_new(
            session,
            SourceFileRow,
            SourceFileRow.sha256,
            sha256=sha(content),
            size_bytes=len(content),
            name=f"{content}.001",
            received_at=now(session),
        )
        return enqueue(session, sha256=sha(content), route=route, **options)[0]  # type: ignore[arg-type]


def claim_one(database: Database, policy: LeasePolicy = POLICY) -> Lease | None:
    with database.write() as session:
        return claim(session, "worker", policy)


def record(database: Database, *found: Inspection, content: str = "wafer") -> None:
    """A job done with these inspections, without alerts."""
    job_id = add_job(database, content)
    with database.write() as session:
        lease = claim(session, "worker", POLICY)
        assert lease is not None
        assert lease.job_id == job_id
        for one in found:
            add_inspection(session, one, sha256=lease.sha256, job_id=job_id, fence=lease.fence, at=now(session))
        complete(session, lease)
