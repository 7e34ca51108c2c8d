"""Quotas: one sender that floods the queue must not keep the others waiting, nor fill the disk."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.domain.errors import RetryableError
from services.records.tables import IS_UNFINISHED, JobRow


class OverQuota(RetryableError):  # noqa: N818 - what happened, not what is wrong
    """The sender has too many files waiting: send this one later."""

    code = "over-quota"


def room_left(session: Session, sender: str, quota: int) -> int:
    """How many files a sender may still send, when `quota` of theirs may be unfinished at a time; 0 or more."""
    unfinished = select(JobRow.id).where(IS_UNFINISHED, JobRow.sender == sender).limit(quota).subquery()
    return quota - session.scalars(select(func.count()).select_from(unfinished)).one()


def admit(session: Session, sender: str, quota: int) -> None:
    """Let a file in, or not; two that come at once may both be let in.

    Raises:
        OverQuota: too many of this sender's wait already.
    """
    if room_left(session, sender, quota) == 0:
        raise OverQuota(
            "too many files wait",
            where=sender or "nobody",
            expected=f"at most {quota} unfinished files of one sender",
            remedy="send it again later; WAFERWATCH_QUOTA_FILES sets the limit",
        )
