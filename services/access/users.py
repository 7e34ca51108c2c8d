"""Users: added, changed and disabled, never removed, because the audit trail names them; the journal has it all."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.domain.errors import InputError
from services.access.passwords import Hashed
from services.access.roles import OF_PEOPLE, Role
from services.records.access_tables import LoginRow, UserRow
from services.records.journal import write_down
from services.records.session import WriteSession, now
from services.records.views import UNTIMED, Cursor, Page

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in.

    Attributes:
        id: their number.
        name: for people and the audit trail.
        role: what they may do.
        issuer: the identity provider that vouches for them; None for a password of ours.
        created_at: since when.
        disabled_at: since when they may not log in any more; None if they may.
        last_login_at: when they last logged in; None if never.
    """

    id: int
    name: str
    role: Role
    issuer: str | None
    created_at: datetime
    disabled_at: datetime | None
    last_login_at: datetime | None


def add_user(session: WriteSession, name: str, role: Role, password: Hashed, *, by: str) -> User:
    """Let somebody in.

    Raises:
        InputError: the name is taken or not one, or the role is not for people.
    """
    shown = name.strip()
    if not shown or len(shown) > LONGEST_NAME or not shown.isprintable():
        raise InputError(
            "not a user name",
            expected=f"1 to {LONGEST_NAME} printable characters",
            got=repr(name[:80]),
            code="user-name",
        )
    if find_user(session, shown) is not None:
        raise InputError("name is taken", where=shown, remedy="choose another", code="name-taken")
    row = UserRow(
        key=key_of_name(shown),
        name=shown,
        role=_for_people(role),
        password_hash=password,
        created_at=now(session),
        created_by=by,
    )
    session.add(row)
    session.flush()
    write_down(session, actor=by, deed="user added", subject=shown, role=role.value)
    return view(row, None)


def change_role(session: WriteSession, user_id: int, role: Role, *, by: str) -> None:
    """Give somebody another role; it holds from their next request on.

    Raises:
        InputError: there is no such user, the role is not for people, or nobody would be left to decide about users.
    """
    row = locked(session, user_id)
    before, row.role = row.role, _for_people(role)
    _keep_an_admin(session)
    write_down(session, actor=by, deed="role changed", subject=row.name, before=before.value, after=role.value)


def set_password(
    session: WriteSession, user_id: int, password: Hashed, *, by: str, keep_login: int | None = None
) -> None:
    """Give somebody a new password and end all their logins, except `keep_login`.

    Raises:
        InputError: there is no such user, or an identity provider vouches for them.
    """
    row = locked(session, user_id)
    if row.issuer is not None:
        raise InputError("user has no password here", where=row.name, remedy=f"change it at {row.issuer}")
    row.password_hash = password
    _end_logins(session, user_id, keep_login)
    write_down(session, actor=by, deed="password changed", subject=row.name)


def disable_user(session: WriteSession, user_id: int, *, by: str) -> None:
    """Shut somebody out at once: their logins end and their tokens open nothing any more.

    Raises:
        InputError: there is no such user, or nobody would be left to decide about users.
    """
    row = locked(session, user_id)
    if row.disabled_at is None:
        row.disabled_at = now(session)
        _keep_an_admin(session)
        _end_logins(session, user_id, None)
        write_down(session, actor=by, deed="user disabled", subject=row.name)


def enable_user(session: WriteSession, user_id: int, *, by: str) -> None:
    """Let somebody in again.

    Raises:
        InputError: there is no such user.
    """
    row = locked(session, user_id)
    if row.disabled_at is not None:
        row.disabled_at = None
        write_down(session, actor=by, deed="user enabled", subject=row.name)


def vouched_for(session: WriteSession, *, issuer: str, subject: str, name: str, role: Role) -> UserRow:
    """The user an identity provider vouches for, made at their first login; the provider decides about their role.

    Their name gets the provider's added if somebody here has it already: nobody becomes another by choosing a name.

    Raises:
        InputError: they are disabled here.
    """
    wanted = select(UserRow).where(UserRow.issuer == issuer, UserRow.subject == subject).with_for_update()
    row = session.scalars(wanted).first()
    if row is None:
        shown = "".join(c for c in name if c.isprintable()).strip()[:LONGEST_NAME] or subject[:LONGEST_NAME]
        if find_user(session, shown) is not None:
            shown = f"{shown} ({urlsplit(issuer).netloc})"
        if find_user(session, shown) is not None:
            shown = f"{shown} {subject[:LONGEST_NAME]}"
        row = UserRow(
            key=key_of_name(shown), name=shown, role=_for_people(role), issuer=issuer, subject=subject,
            created_at=now(session), created_by=issuer,
        )  # fmt: skip
        session.add(row)
        session.flush()
        write_down(session, actor=issuer, deed="user added", subject=shown, role=role.value)
    if row.disabled_at is not None:
        raise InputError("user is disabled", where=row.name, remedy="ask an admin", code="user-disabled")
    if row.role is not role:
        before, row.role = row.role, _for_people(role)
        write_down(session, actor=issuer, deed="role changed", subject=row.name, before=before.value, after=role.value)
    return row


def users(session: Session, *, limit: int | None = None, after: Cursor | None = None) -> Page[User]:
    """People by name; everybody without a limit."""
    last = select(func.max(LoginRow.began_at)).where(LoginRow.user_id == UserRow.id).scalar_subquery()
    wanted = select(UserRow, last).order_by(UserRow.key).limit(limit and limit + 1)
    if after is not None:
        wanted = wanted.where(UserRow.key > after.id)
    found = [view(row, at) for row, at in session.execute(wanted).tuples()]
    return Page.cut(found, limit, lambda one: Cursor(UNTIMED, key_of_name(one.name)))


def user_named(session: Session, name: str) -> UserRow:
    """The user with this name.

    Raises:
        InputError: there is none.
    """
    row = find_user(session, name)
    if row is None:
        raise InputError("no such user", where=name, remedy="see 'waferwatch user list'", code="no-such-user")
    return row


def find_user(session: Session, name: str) -> UserRow | None:
    """The user with this name, however it is written."""
    return session.scalars(select(UserRow).where(UserRow.key == key_of_name(name))).first()


def key_of_name(name: str) -> str:
    """The name as it is compared: names that look alike are one."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def locked(session: WriteSession, user_id: int) -> UserRow:
    """The user's row, held until the transaction ends.

    Raises:
        InputError: there is no such user.
    """
    row = session.get(UserRow, user_id, with_for_update=True)
    if row is None:
        raise InputError("no such user", where=str(user_id), code="no-such-user")
    return row


def view(row: UserRow, last_login_at: datetime | None) -> User:
    """A row for readers."""
    return User(row.id, row.name, row.role, row.issuer, row.created_at, row.disabled_at, last_login_at)


def _for_people(role: Role) -> Role:
    if role not in OF_PEOPLE:
        raise InputError("not a role of people", expected=" | ".join(OF_PEOPLE), got=role.value, code="user-role")
    return role


def _keep_an_admin(session: WriteSession) -> None:
    session.flush()
    left = select(func.count()).where(UserRow.role == Role.ADMIN, UserRow.disabled_at.is_(None))
    if not session.scalar(left):
        raise InputError(
            "nobody would be left to decide about users",
            expected="at least one admin",
            remedy="make somebody else an admin first",
            code="last-admin",
        )


def _end_logins(session: WriteSession, user_id: int, keep: int | None) -> None:
    running = update(LoginRow).where(LoginRow.user_id == user_id, LoginRow.ended_at.is_(None))
    if keep is not None:
        running = running.where(LoginRow.id != keep)
    session.execute(running.values(ended_at=now(session)))
