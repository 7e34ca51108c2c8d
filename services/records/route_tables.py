"""The tables of routing: which rules held, which bundles failed, what challengers said.

routing                         every routing that was ever in force; rows are only added
inspection ─< shadow            a challenger's verdict on what the inspection judged
route_failure                   a capture that a route's bundle could not judge
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.domain.verdict import Reason
from services.records.tables import Base, BigInt, Id, Sha256, words_of


class ShadowOutcome(StrEnum):
    """What became of a challenger's look."""

    WAITING = "waiting"
    AGREED = "agreed"
    DISAGREED = "disagreed"
    """Another verdict on the capture, or on any of its windows where both cut it the same way."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Too many waited: production has no time for it."""


class RoutingRow(Base):
    """A routing and who put it into force; the highest number holds."""

    __tablename__ = "routing"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    note: Mapped[str]
    content: Mapped[dict[str, Any]]


class RouteFailureRow(Base):
    """The bundle of a route could not judge a capture; counted once, however often it is tried."""

    __tablename__ = "route_failure"
    __table_args__ = (Index("ix_route_failure_rule_at", "rule", "at"),)

    capture_id: Mapped[Sha256] = mapped_column(primary_key=True)
    """The capture need not be a row: perhaps nobody could judge it."""
    rule: Mapped[str] = mapped_column(primary_key=True)
    bundle_digest: Mapped[Sha256] = mapped_column(primary_key=True)
    route: Mapped[str]
    tool: Mapped[str | None]
    job_id: Mapped[int] = mapped_column(BigInt)
    at: Mapped[datetime]
    code: Mapped[str]


class ShadowRow(Base):
    """A challenger's look at a capture that was inspected: asked for with the inspection, answered when time allows."""

    __tablename__ = "shadow"
    __table_args__ = (
        Index("uq_shadow_inspection_id_route", "inspection_id", "route", unique=True),
        Index("ix_shadow_outcome_id", "outcome", "id"),
        Index("ix_shadow_judged_at", "judged_at"),
    )

    id: Mapped[Id]
    inspection_id: Mapped[Sha256] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"))
    route: Mapped[str]
    """Of the challenger."""
    outcome: Mapped[ShadowOutcome] = mapped_column(words_of(ShadowOutcome))
    asked_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    judged_at: Mapped[datetime | None]
    bundle_name: Mapped[str | None]
    bundle_version: Mapped[str | None]
    bundle_digest: Mapped[Sha256 | None]
    label: Mapped[str | None]
    confidence: Mapped[float | None]
    novelty: Mapped[float | None]
    reason: Mapped[Reason | None]
    windows: Mapped[int | None]
    """Windows that both judged; None where the two cut the capture differently."""
    windows_differing: Mapped[int | None]
    differences: Mapped[list[dict[str, Any]]]
    """The first windows they differ on: number, the champion's word, the challenger's."""
    error_code: Mapped[str | None]
