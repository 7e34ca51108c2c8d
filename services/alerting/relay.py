"""The outbox relay: messages written with their alerts are sent afterwards, at least once, each channel by itself.

A message is leased, sent outside any transaction, then marked. A crash between the last two sends it again, with the
same event id. A channel that is down keeps its own messages waiting and nobody else's.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, cast

from sqlalchemy import CursorResult, select, update

from models.domain.errors import RetryableError, WaferwatchError
from services.alerting.channels.channel import Channel, Message
from services.jobs.lease import LeasePolicy
from services.records.session import Database, WriteSession, now
from services.records.tables import IS_UNSENT, OutboxRow

log = logging.getLogger(__name__)

PATIENCE = LeasePolicy(lease_s=60, max_attempts=12, backoff_s=2, backoff_limit_s=3600)
"""About five hours of tries before a message is given up."""
_SLACK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    fence: int
    attempts: int
    message: Message


class Told(Protocol):
    """Counts what was tried."""

    def __call__(self, channel: str, *, delivered: bool) -> None:
        """A message was handed to a channel, or was not taken."""


def relay_once(
    database: Database,
    channels: Collection[Channel],
    policy: LeasePolicy = PATIENCE,
    told: Told = lambda *_, **__: None,
) -> int:
    """Send at most one message on each channel.

    Returns:
        How many were tried; 0 means there is nothing to do now.
    """
    return sum(_relay_one(database, channel, policy, told) for channel in channels)


def _relay_one(database: Database, channel: Channel, policy: LeasePolicy, told: Told) -> bool:
    with database.write() as session:
        claimed = _claim(session, channel.name, policy)
    if claimed is None:
        return False
    try:
        channel.send(claimed.message)
    except Exception as error:  # noqa: BLE001 - a fault in one channel must not keep the others from sending
        log.warning("message %s not sent on %s: %s", claimed.message.event_id, channel.name, error)
        with database.write() as session:
            _put_back(session, claimed, error, policy)
        told(channel.name, delivered=False)
        return True
    with database.write() as session:
        _mark(session, claimed, sent_at=now(session), error=None)
    told(channel.name, delivered=True)
    return True


def _claim(session: WriteSession, channel: str, policy: LeasePolicy) -> _Claimed | None:
    moment = now(session)
    furthest = moment + timedelta(seconds=policy.backoff_limit_s) + _SLACK
    latest = moment + timedelta(seconds=policy.lease_s) + _SLACK
    lease = OutboxRow.lease_until
    row = session.scalars(
        select(OutboxRow)
        .where(
            OutboxRow.channel == channel,
            IS_UNSENT,
            (OutboxRow.not_before <= moment) | (OutboxRow.not_before > furthest),
            lease.is_(None) | (lease < moment) | (lease > latest),
        )
        .order_by(OutboxRow.not_before, OutboxRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    row.fence += 1
    row.attempts += 1
    row.lease_until = moment + timedelta(seconds=policy.lease_s)
    session.flush()
    return _Claimed(row.id, row.fence, row.attempts, Message(row.event_id, row.body))


def _put_back(session: WriteSession, claimed: _Claimed, error: Exception, policy: LeasePolicy) -> None:
    moment = now(session)
    is_final = isinstance(error, WaferwatchError) and not isinstance(error, RetryableError)
    text = str(error) if isinstance(error, WaferwatchError) else type(error).__name__
    if is_final or claimed.attempts >= policy.max_attempts:
        log.error("message %s given up: %s", claimed.message.event_id, text)
        _mark(session, claimed, failed_at=moment, error=text)
    else:
        _mark(session, claimed, not_before=moment + policy.backoff(claimed.attempts), error=text)


def _mark(session: WriteSession, claimed: _Claimed, **values: Any) -> None:
    result = session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == claimed.id, OutboxRow.fence == claimed.fence)
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )
    if cast("CursorResult[Any]", result).rowcount != 1:
        # Another relay took it over while we were sending: the receiver gets it twice and drops one.
        log.warning("message %s was taken over by another relay", claimed.message.event_id)
