"""Logins: a browser shows a cookie of 256 random bits; the row behind it says whose it is and until when."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from models.domain.errors import InputError
from services.access.attempts import buckets_for, count_attempt, forgive
from services.access.passwords import fits
from services.access.roles import GRANTS, Principal
from services.access.tokens import hash_of
from services.access.users import find_user, key_of_name
from services.records.access_tables import LoginRow, UserRow
from services.records.journal import write_down
from services.records.session import Database, WriteSession, now

LASTS = timedelta(hours=12)
"""One shift."""
DEVICE_LASTS = timedelta(days=180)
"""How long a browser is a known one."""


class WrongPasswordError(InputError):
    """Name and password do not fit; which of the two is not told."""

    code = "wrong-password"


class TooManyAttemptsError(InputError):
    """Too many attempts failed: the next one must wait."""

    code = "too-many-attempts"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "too many attempts failed", expected=f"the next one in {seconds} s", remedy="wait, then try again"
        )
        self.retry_after_s = seconds

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling, as all our errors do."""
        return (type(self), (self.retry_after_s,))


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a login comes from.

    Attributes:
        address: its network address.
        device: its cookie that outlives logins; None if it has none yet.
    """

    address: str
    device: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a browser gets to show from now on: the login's cookie, and the one that makes it a known browser."""

    login: str
    device: str


def log_in(database: Database, name: str, password: str, browser: Browser) -> Shown:
    """Trade a name and a password for a login.

    Raises:
        WrongPasswordError: they do not fit, or the user is disabled.
        TooManyAttemptsError: too many attempts failed.
        RetryableError: the database does not answer.
    """
    user = prove(database, name, password, browser)
    with database.write() as session:
        return begin(session, user, browser)


def prove(database: Database, name: str, password: str, browser: Browser) -> UserRow:
    """The user whose name and password these are.

    Raises:
        WrongPasswordError: they do not fit, or the user is disabled.
        TooManyAttemptsError: too many attempts failed.
        RetryableError: the database does not answer.
    """
    with database.read() as session:
        user = find_user(session, name)
        known = _known_device(session, user, browser.device)
    buckets = buckets_for(key_of_name(name), browser.address, known)
    with database.write() as session:
        wait = count_attempt(session, buckets)
    if wait:
        raise TooManyAttemptsError(wait)
    right = fits(password, None if user is None else user.password_hash)
    if not right or user is None or user.disabled_at is not None:
        raise WrongPasswordError("name and password do not fit")
    with database.write() as session:
        forgive(session, buckets)
    return user


def begin(session: WriteSession, user: UserRow, browser: Browser) -> Shown:
    """A new login of somebody who proved who they are."""
    shown = Shown(secrets.token_urlsafe(32), browser.device or secrets.token_urlsafe(32))
    moment = now(session)
    session.add(
        LoginRow(
            hash=hash_of(shown.login),
            user_id=user.id,
            device=hash_of(shown.device),
            address=browser.address,
            began_at=moment,
            expires_at=moment + LASTS,
        )
    )
    write_down(session, actor=user.name, deed="logged in", subject=browser.address)
    return shown


def principal_of_login(database: Database, cookie: str) -> Principal | None:
    """Whose login this cookie is; None if it is none of ours, or ended.

    Raises:
        RetryableError: the database does not answer.
    """
    with database.read() as session:
        wanted = select(LoginRow).options(joinedload(LoginRow.user)).where(LoginRow.hash == hash_of(cookie))
        row = session.scalars(wanted).first()
        moment = now(session)
    if row is None or row.ended_at is not None or row.expires_at <= moment or row.user.disabled_at is not None:
        return None
    return Principal(row.user.name, GRANTS[row.user.role], user_id=row.user.id, login_id=row.id)


@dataclass(frozen=True, slots=True)
class Login:
    """A login that has not ended.

    Attributes:
        id: its number.
        address: where it was begun.
        began_at: when.
        expires_at: until when.
    """

    id: int
    address: str
    began_at: datetime
    expires_at: datetime


def logins(session: Session, user_id: int) -> tuple[Login, ...]:
    """The logins of a user that have not ended, the newest first."""
    running = (LoginRow.user_id == user_id, LoginRow.ended_at.is_(None), LoginRow.expires_at > now(session))
    rows = session.scalars(select(LoginRow).where(*running).order_by(LoginRow.id.desc()))
    return tuple(Login(row.id, row.address, row.began_at, row.expires_at) for row in rows)


def end_login(session: WriteSession, login_id: int, *, of_user: int) -> None:
    """Log a browser out; does nothing to somebody else's.

    Args:
        session: the transaction.
        login_id: which login.
        of_user: whose it must be.
    """
    row = session.get(LoginRow, login_id)
    if row is not None and row.user_id == of_user and row.ended_at is None:
        row.ended_at = now(session)


def _known_device(session: Session, user: UserRow | None, device: str | None) -> str | None:
    """The hash of the browser's cookie if this user logged in with it before."""
    if user is None or device is None:
        return None
    hashed = hash_of(device)
    before = select(LoginRow.id).where(
        LoginRow.user_id == user.id, LoginRow.device == hashed, LoginRow.began_at > now(session) - DEVICE_LASTS
    )
    return hashed if session.scalars(before.limit(1)).first() is not None else None
