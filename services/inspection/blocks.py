"""Progress that outlives a worker: verdicts of a long capture are put aside in blocks; a retry goes on behind them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.domain.tiling import Level, Window
from models.domain.verdict import Reason, Verdict
from services.jobs import Lease, hold
from services.records.session import Database, WriteSession
from services.records.store import verdict_values
from services.records.tables import BlockRow, JobRow
from services.records.upsert import insert_new


def save_block(database: Database, lease: Lease, inspection_id: str, first: int, verdicts: Sequence[Verdict]) -> None:
    """Put verdicts aside, from window number `first` on.

    Raises:
        LostLease: the job is somebody else's.
    """
    with database.write() as session:
        hold(session, lease)
        insert_new(
            session,
            BlockRow,
            BlockRow.job_id,
            BlockRow.inspection_id,
            BlockRow.first,
            job_id=lease.job_id,
            inspection_id=inspection_id,
            first=first,
            verdicts=[verdict_values(verdict) for verdict in verdicts],
        )


def saved_verdicts(session: Session, job_id: int, inspection_id: str) -> tuple[Verdict, ...]:
    """What earlier tries put aside, from the first window on, without a gap."""
    wanted = (
        select(BlockRow.first, BlockRow.verdicts)
        .where(BlockRow.job_id == job_id, BlockRow.inspection_id == inspection_id)
        .order_by(BlockRow.first)
    )
    verdicts: list[Verdict] = []
    for first, block in session.execute(wanted).tuples():
        if first != len(verdicts):
            break
        verdicts += map(_verdict, block)
    return tuple(verdicts)


def drop_blocks(session: WriteSession, job_id: int) -> None:
    """The job is settled: its blocks have served."""
    session.execute(delete(BlockRow).where(BlockRow.job_id == job_id))


def drop_leftovers(session: WriteSession, before: datetime) -> None:
    """Drop blocks of jobs that ended otherwise than done before a moment: nobody has tried them again."""
    ended = select(JobRow.id).where(JobRow.id == BlockRow.job_id, JobRow.finished_at < before)
    session.execute(delete(BlockRow).where(ended.exists()).execution_options(synchronize_session=False))


def _verdict(values: dict[str, Any]) -> Verdict:
    level = Level(values["level"], values["level_height"], values["level_width"])
    return Verdict(
        window=Window(level, values["top"], values["left"], values["height"], values["width"]),
        label=values["label"],
        confidence=values["confidence"],
        novelty=values["novelty"],
        reason=Reason(values["reason"]),
        likeliest=values["likeliest"],
        runner_up=values["runner_up"],
        runner_up_confidence=values["runner_up_confidence"],
        also=tuple(values["also"]),
    )
