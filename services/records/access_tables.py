"""The tables behind logins: users, what they show to be let in, and the journal of what people did besides alerts.

user_account ─< login            a browser somebody logged in with
└─────────< api_token        what a program shows
attempt                          failed logins, by where they came from
oidc_round                       logins that are at the identity provider just now
journal                          who did what; rows are only ever added, each carries the hash of the one before
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.access.roles import Role
from services.records.tables import Base, BigInt, Id, Sha256, words_of

_ROLE = words_of(Role)


class UserRow(Base):
    """Somebody who may log in."""

    __tablename__ = "user_account"
    __table_args__ = (Index("uq_user_account_issuer_subject", "issuer", "subject", unique=True),)

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    """The name as it is compared: 'Zoë' and 'ZOË' are one."""
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(_ROLE)
    password_hash: Mapped[str | None]
    """argon2id; None for people whom an identity provider vouches for."""
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    """Who they are there; names may change, this does not."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    disabled_at: Mapped[datetime | None]


class LoginRow(Base):
    """A browser in which somebody logged in; also after it ended, because it makes the browser a known one."""

    __tablename__ = "login"

    id: Mapped[Id]
    hash: Mapped[Sha256] = mapped_column(unique=True)
    """Of the cookie: who reads this table cannot log in with it."""
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("user_account.id"), index=True)
    device: Mapped[Sha256]
    """Hash of the browser's other cookie, which outlives logins."""
    address: Mapped[str]
    began_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    user: Mapped[UserRow] = relationship(lazy="raise")


class TokenRow(Base):
    """What a program shows instead of a login."""

    __tablename__ = "api_token"

    id: Mapped[Id]
    hash: Mapped[Sha256] = mapped_column(unique=True)
    """SHA-256 is enough for 256 random bits; a slow hash would let a flood of requests take every core."""
    prefix: Mapped[str]
    """Its beginning, by which people recognise it."""
    name: Mapped[str]
    """What it is for."""
    user_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("user_account.id"), index=True)
    """Whose it is: it can never do more than they can. None: a tool's."""
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[UserRow | None] = relationship(lazy="raise")


class AttemptRow(Base):
    """Failed logins of one bucket: a name from an address, an address, or a known browser."""

    __tablename__ = "attempt"

    bucket: Mapped[Sha256] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]


class OidcRoundRow(Base):
    """What we must remember while somebody is at the identity provider."""

    __tablename__ = "oidc_round"

    state: Mapped[Sha256] = mapped_column(primary_key=True)
    """Hash of the state that comes back."""
    nonce: Mapped[str]
    verifier: Mapped[str]
    back: Mapped[str]
    """The page they wanted."""
    expires_at: Mapped[datetime]


class KeptAnswerRow(Base):
    """The answer to a request that carried an Idempotency-Key, for its repeats."""

    __tablename__ = "kept_answer"

    name: Mapped[Sha256] = mapped_column(primary_key=True)
    """Hash of caller and key."""
    fingerprint: Mapped[Sha256]
    """Hash of what was asked for."""
    claimed_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    """None while the request is at work."""
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class JournalRow(Base):
    """One thing somebody did."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_deed_number", "deed", "number"),)

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    deed: Mapped[str]
    """A word or two: 'user added', 'token revoked'."""
    subject: Mapped[str]
    """What it was done to."""
    detail: Mapped[dict[str, Any]]
    """What else matters, such as before and after; never a secret."""
    previous_hash: Mapped[Sha256]
    hash: Mapped[Sha256]
