"""API tokens: what a program shows. 256 random bits, shown once, stored as their SHA-256, with scopes and an end."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from models.domain.errors import InputError
from services.access.roles import GRANTS, Principal, Role
from services.records.access_tables import TokenRow, UserRow
from services.records.journal import write_down
from services.records.session import Database, WriteSession, now
from services.records.views import UNTIMED, Cursor, Page

MARK = "ww_"
"""How every token begins, so that scanners find one that was committed by mistake."""
_PREFIX_CHARACTERS = 11
LONGEST_DAYS = 3650
_NOTED_EVERY = timedelta(minutes=1)
"""A token in use is not written to at every request."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret.

    Attributes:
        id: its number.
        name: what it is for.
        prefix: how it begins.
        owner: the user it acts for; None for a tool's.
        scopes: what it may do, at most.
        created_at: since when.
        created_by: who made it.
        expires_at: until when; None for ever.
        last_used_at: about when it was last shown; None if never.
        revoked_at: since when it opens nothing; None if it does.
    """

    id: int
    name: str
    prefix: str
    owner: str | None
    scopes: tuple[Role, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def hash_of(secret: str) -> str:
    """What is stored of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_token(
    session: WriteSession, name: str, scopes: Collection[Role], *, days: int | None, owner: UserRow | None, by: str
) -> tuple[str, Token]:
    """Make a token; the secret is returned now and never again.

    Args:
        session: the transaction.
        name: what it is for: a tool, a script.
        scopes: what it may do.
        days: how long; None for ever.
        owner: the user it acts for, whose rights bound it; None for a tool.
        by: who makes it.

    Raises:
        InputError: no name, no scope, one the owner does not have, or a strange number of days.
    """
    if not name.strip() or len(name) > 80 or not name.isprintable():
        raise InputError("token needs a name", expected="1 to 80 printable characters", code="token-name")
    if not scopes:
        raise InputError("token needs a scope", expected=" | ".join(Role), code="token-scope")
    if owner is not None and (beyond := set(scopes) - GRANTS[owner.role]):
        raise InputError(
            "token would do more than its owner", where=owner.name, expected=" | ".join(sorted(GRANTS[owner.role])),
            got=", ".join(sorted(beyond)), code="token-scope",
        )  # fmt: skip
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InputError("token cannot last that long", expected=f"1 to {LONGEST_DAYS} days", got=str(days))
    secret, moment = MARK + secrets.token_urlsafe(32), now(session)
    row = TokenRow(
        hash=hash_of(secret),
        prefix=secret[:_PREFIX_CHARACTERS],
        name=name.strip(),
        user_id=None if owner is None else owner.id,
        scopes=sorted({scope.value for scope in scopes}),
        created_at=moment,
        created_by=by,
        expires_at=None if days is None else moment + timedelta(days=days),
    )
    row.user = owner
    session.add(row)
    session.flush()
    write_down(
        session, actor=by, deed="token created", subject=row.name, token=row.prefix, scopes=row.scopes,
        expires=row.expires_at and row.expires_at.isoformat(),
    )  # fmt: skip
    return secret, _view(row)


def revoke_token(session: WriteSession, token_id: int, *, by: str, of_user: int | None = None) -> None:
    """Make a token worthless at once.

    Args:
        session: the transaction.
        token_id: which.
        by: who does it.
        of_user: whose tokens they may revoke; None for everybody's.

    Raises:
        InputError: there is no such token among those.
    """
    row = session.get(TokenRow, token_id, with_for_update=True)
    if row is None or (of_user is not None and row.user_id != of_user):
        raise InputError("no such token", where=str(token_id), code="no-such-token")
    if row.revoked_at is None:
        row.revoked_at = now(session)
        write_down(session, actor=by, deed="token revoked", subject=row.name, token=row.prefix)


def tokens(
    session: Session, *, of_user: int | None = None, limit: int | None = None, after: Cursor | None = None
) -> Page[Token]:
    """Tokens, the newest first: everybody's, or one user's; all of them without a limit."""
    wanted = select(TokenRow).options(joinedload(TokenRow.user)).order_by(TokenRow.id.desc())
    wanted = wanted.limit(limit and limit + 1)
    if after is not None:
        wanted = wanted.where(TokenRow.id < after.number)
    if of_user is not None:
        wanted = wanted.where(TokenRow.user_id == of_user)
    found = [_view(row) for row in session.scalars(wanted)]
    return Page.cut(found, limit, lambda one: Cursor(UNTIMED, str(one.id)))


def principal_of_token(database: Database, secret: str) -> Principal | None:
    """Who shows this token; None if it opens nothing (any more).

    Raises:
        RetryableError: the database does not answer.
    """
    with database.read() as session:
        row = session.scalars(
            select(TokenRow).options(joinedload(TokenRow.user)).where(TokenRow.hash == hash_of(secret))
        ).first()
        moment = now(session)
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= moment):
        return None
    if row.user is not None and row.user.disabled_at is not None:
        return None
    if row.last_used_at is None or moment - row.last_used_at >= _NOTED_EVERY:
        with database.write() as session:
            session.execute(update(TokenRow).where(TokenRow.id == row.id).values(last_used_at=moment))
    grants = frozenset[Role]().union(*(GRANTS[Role(scope)] for scope in row.scopes))
    if row.user is None:
        return Principal(f"{row.name} (token)", grants)
    return Principal(f"{row.user.name} ({row.name})", grants & GRANTS[row.user.role], user_id=row.user.id)


def _view(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        owner=None if row.user is None else row.user.name,
        scopes=tuple(Role(scope) for scope in row.scopes),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
