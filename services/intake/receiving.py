"""From bytes in the spool to a job: one transaction, and only behind it anybody may forget the source."""

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select

from services.intake.names import file_name, printable
from services.intake.spool import Signature, Spool, Spooled
from services.jobs import admit, enqueue
from services.priority import Priority
from services.records.session import Database, WriteSession, now
from services.records.tables import ReceiptRow, SourceFileRow
from services.records.upsert import insert_new


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a file came.

    Attributes:
        origin: which door: 'watch', 'upload' or 'command'.
        path: where it lay, or the name the client gave; for people, never opened itself.
        sender: who brought it, '' if nobody said.
        route: what shall judge it: the digest of a bundle (a new bundle then makes a new job), or a name for one.
        priority: how urgent it is.
        key: SHA-256 that names this arrival, so that one reported twice is one; '' makes every call an arrival of its
            own. See `arrival_key`, `key_of`.
    """

    origin: str
    path: str
    sender: str = ""
    route: str = "champion"
    priority: Priority = Priority.NORMAL
    key: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a file.

    Attributes:
        sha256: its content.
        job_id: the job that inspects it.
        is_new_job: False if the same bytes were sent along the same route before.
        is_new_arrival: False if this very arrival was reported before.
    """

    sha256: str
    job_id: int
    is_new_job: bool
    is_new_arrival: bool


def receive(
    database: Database, spool: Spool, stream: BinaryIO, arrival: Arrival, *, quota: int | None = None
) -> Receipt:
    """Take in a stream, such as an upload. When this returns, the bytes and their job survive a power cut.

    Args:
        database: where its job goes.
        spool: where its bytes go.
        stream: read from where it stands.
        arrival: how it came.
        quota: how many files of one sender may be unfinished at a time; None = any number.

    Raises:
        OverQuota: too many of this sender's are unfinished.
        UnsafeInputError: too big.
        RetryableError: disk full or database unreachable; sending it again does no harm.
    """
    if quota is not None:
        with database.read() as session:
            admit(session, arrival.sender, quota)
    spooled = spool.store(stream, printable(arrival.path))
    with database.write() as session:
        return register(session, spooled, arrival)


def register(session: WriteSession, spooled: Spooled, arrival: Arrival) -> Receipt:
    """Write source file, receipt and job; each at most once."""
    moment = now(session)
    insert_new(
        session,
        SourceFileRow,
        SourceFileRow.sha256,
        sha256=spooled.sha256,
        size_bytes=spooled.size,
        name=file_name(arrival.path),
        received_at=moment,
    )
    key = arrival.key or key_of(uuid.uuid4().hex)
    known = session.execute(select(ReceiptRow.sha256, ReceiptRow.job_id).where(ReceiptRow.arrival_key == key)).first()
    if known is not None and known[0] == spooled.sha256:
        return Receipt(spooled.sha256, known[1], is_new_job=False, is_new_arrival=False)
    job_id, is_new_job = enqueue(
        session, sha256=spooled.sha256, route=arrival.route, sender=arrival.sender, priority=arrival.priority
    )
    is_new_arrival = insert_new(
        session,
        ReceiptRow,
        ReceiptRow.arrival_key,
        arrival_key=key,
        sha256=spooled.sha256,
        job_id=job_id,
        origin=arrival.origin,
        sender=arrival.sender,
        path=printable(arrival.path),
        received_at=moment,
    )
    return Receipt(spooled.sha256, job_id, is_new_job, is_new_arrival)


def arrival_key(path: Path, signature: Signature) -> str:
    """Names one state of one file in a watch folder, the same for every watcher."""
    state = (signature.inode, signature.size, signature.mtime_ns, signature.ctime_ns)
    return key_of("watch", str(path), *map(str, state))


def key_of(*parts: str) -> str:
    """A key from whatever names an arrival, such as a client and its Idempotency-Key."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
