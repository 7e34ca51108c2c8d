"""Pages about people: the account (own password, logins, tokens), and for admins the users and all tokens."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse

from models.domain.errors import InputError
from services.access import logins, passwords, tokens, users
from services.access.roles import GRANTS, OF_PEOPLE, Principal, Role
from services.api.needs import needs
from services.api.paging import PageCursor
from services.api.problems import ForbiddenError
from services.api.wiring import Caller, Wired, Wiring
from services.dashboard.logging_in import browser_of
from services.dashboard.looks import address, go_to, page
from services.records.access_tables import UserRow
from services.records.views import Cursor

SHOWN = 100
"""Users and tokens of one page."""
DAYS = (30, 90, 365)
"""How long a token may last when it is made on a page."""
routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is in the lists of users and tokens; forms carry it along, so that they lead back there."""

    people: Cursor | None
    tokens: Cursor | None

    def __str__(self) -> str:
        """What stands behind the path of an address."""
        return address("", people=self.people, cursor=self.tokens)


def _place(cursor: PageCursor = None, people: Annotated[str, Query(max_length=400)] = "") -> Place:
    return Place(Cursor.parse(people) if people else None, cursor)


Here = Annotated[Place, Depends(_place)]


@routes.get("/account")
def account(request: Request, wired: Wired, caller: Caller, here: Here) -> HTMLResponse:
    """What somebody may do here, and what they can be recognised by."""
    return _account_page(request, wired, caller, here)


def _account_page(
    request: Request,
    wired: Wiring,
    caller: Principal,
    here: Place,
    *,
    complaint: str = "",
    secret: str = "",
    said: str = "",
) -> HTMLResponse:
    with wired.database.read() as session:
        row = None if caller.user_id is None else session.get(UserRow, caller.user_id)
        own = tokens.tokens(session, of_user=0 if row is None else row.id, limit=SHOWN, after=here.tokens)
        context = {
            "user": row,
            "logins": () if row is None else logins.logins(session, row.id),
            "tokens": own.items,
            "here": here,
            "older": address("/account", cursor=own.next) if own.next else None,
            "scopes": () if row is None else [one for one in Role if one in GRANTS[row.role]],
            "days": DAYS,
            "shortest": passwords.SHORTEST,
            "complaint": complaint,
            "secret": secret,
            "said": said,
        }
    return page(request, "account.html", wired.pulse.beat(), context, 422 if complaint else 200)


@routes.post("/account/password")
@needs(Role.VIEWER)
def change_password(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    here: Here,
    old: Annotated[str, Form(max_length=256)],
    new: Annotated[str, Form(max_length=256)],
    again: Annotated[str, Form(max_length=256)],
) -> Response:
    """Give oneself a new password; other logins end."""
    user_id = _user_id(caller)
    if new != again:
        return _account_page(request, wired, caller, here, complaint="The new password was not the same both times.")
    try:
        logins.prove(wired.database, caller.name, old, browser_of(request, wired))
        hashed = passwords.hash_password(new)
        with wired.database.write() as session:
            users.set_password(session, user_id, hashed, by=caller.name, keep_login=caller.login_id)
    except InputError as error:
        return _account_page(request, wired, caller, here, complaint=str(error))
    return _account_page(request, wired, caller, here, said="The password is changed; all other logins ended.")


@routes.post("/account/logins/{login_id}/end")
@needs(Role.VIEWER)
def end_login(login_id: int, wired: Wired, caller: Caller, here: Here) -> Response:
    """Log oneself out in another browser."""
    with wired.database.write() as session:
        logins.end_login(session, login_id, of_user=_user_id(caller))
    return go_to(f"/account{here}")


@routes.post("/account/tokens")
@needs(Role.VIEWER)
def create_token(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    here: Here,
    name: Annotated[str, Form(max_length=80)] = "",
    scope: Annotated[Role, Form()] = Role.VIEWER,
    days: Annotated[int, Form()] = DAYS[0],
) -> Response:
    """Make a token that acts for oneself; it is shown once."""
    user_id = _user_id(caller)
    try:
        with wired.database.write() as session:
            owner = users.locked(session, user_id)
            secret, _ = tokens.create_token(session, name, {scope}, days=days, owner=owner, by=caller.name)
    except InputError as error:
        return _account_page(request, wired, caller, here, complaint=str(error))
    return _account_page(request, wired, caller, here, secret=secret)


@routes.post("/account/tokens/{token_id}/revoke")
@needs(Role.VIEWER)
def revoke_own_token(token_id: int, wired: Wired, caller: Caller, here: Here) -> Response:
    """Make one of one's own tokens worthless."""
    with wired.database.write() as session:
        tokens.revoke_token(session, token_id, by=caller.name, of_user=_user_id(caller))
    return go_to(f"/account{here}")


@routes.get("/users")
@needs(Role.ADMIN)
def user_list(request: Request, wired: Wired, here: Here) -> HTMLResponse:
    """Who may log in, and every token; each list goes on by itself."""
    return _users_page(request, wired, here)


def _users_page(request: Request, wired: Wiring, here: Place, *, complaint: str = "", secret: str = "") -> HTMLResponse:
    beat = wired.pulse.beat()
    with wired.database.read() as session:
        known = users.users(session, limit=SHOWN, after=here.people)
        made = tokens.tokens(session, limit=SHOWN, after=here.tokens)
        context = {
            "users": known.items,
            "more_users": f"/users{replace(here, people=known.next)}" if known.next else None,
            "tokens": made.items,
            "older_tokens": f"/users{replace(here, tokens=made.next)}" if made.next else None,
            "here": here,
            "roles": OF_PEOPLE,
            "scopes": tuple(Role),
            "days": DAYS,
            "shortest": passwords.SHORTEST,
            "now": beat.now,
            "complaint": complaint,
            "secret": secret,
        }
    return page(request, "users.html", beat, context, 422 if complaint else 200)


@routes.post("/users")
@needs(Role.ADMIN)
def add_user(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    here: Here,
    name: Annotated[str, Form(max_length=80)],
    role: Annotated[Role, Form()],
    password: Annotated[str, Form(max_length=256)],
) -> Response:
    """Let somebody in."""
    try:
        hashed = passwords.hash_password(password)
        with wired.database.write() as session:
            users.add_user(session, name, role, hashed, by=caller.name)
    except InputError as error:
        return _users_page(request, wired, here, complaint=str(error))
    return go_to(f"/users{here}")


@routes.post("/users/{user_id}/change")
@needs(Role.ADMIN)
def change_user(
    *,
    user_id: int,
    request: Request,
    wired: Wired,
    caller: Caller,
    here: Here,
    to: Annotated[str, Form(max_length=20)],
) -> Response:
    """Give somebody another role, or shut them out, or let them in again."""
    try:
        with wired.database.write() as session:
            if to == "disabled":
                users.disable_user(session, user_id, by=caller.name)
            elif to == "enabled":
                users.enable_user(session, user_id, by=caller.name)
            else:
                users.change_role(session, user_id, _role(to), by=caller.name)
    except InputError as error:
        return _users_page(request, wired, here, complaint=str(error))
    return go_to(f"/users{here}")


@routes.post("/users/{user_id}/password")
@needs(Role.ADMIN)
def reset_password(
    *,
    user_id: int,
    request: Request,
    wired: Wired,
    caller: Caller,
    here: Here,
    password: Annotated[str, Form(max_length=256)],
) -> Response:
    """Give somebody a new password to begin with; their logins end."""
    try:
        hashed = passwords.hash_password(password)
        with wired.database.write() as session:
            users.set_password(session, user_id, hashed, by=caller.name)
    except InputError as error:
        return _users_page(request, wired, here, complaint=str(error))
    return go_to(f"/users{here}")


@routes.post("/users/tokens")
@needs(Role.ADMIN)
def create_tool_token(
    *,
    request: Request,
    wired: Wired,
    caller: Caller,
    here: Here,
    name: Annotated[str, Form(max_length=80)] = "",
    scope: Annotated[Role, Form()] = Role.INGEST,
    days: Annotated[int, Form()] = DAYS[-1],
) -> Response:
    """Make a token for a tool, which belongs to nobody."""
    try:
        with wired.database.write() as session:
            secret, _ = tokens.create_token(session, name, {scope}, days=days, owner=None, by=caller.name)
    except InputError as error:
        return _users_page(request, wired, here, complaint=str(error))
    return _users_page(request, wired, here, secret=secret)


@routes.post("/users/tokens/{token_id}/revoke")
@needs(Role.ADMIN)
def revoke_token(token_id: int, wired: Wired, caller: Caller, here: Here) -> Response:
    """Make any token worthless."""
    with wired.database.write() as session:
        tokens.revoke_token(session, token_id, by=caller.name)
    return go_to(f"/users{here}")


def _user_id(caller: Principal) -> int:
    """Of the person behind a login: a token may not make tokens or change passwords."""
    if caller.user_id is None or caller.login_id is None:
        raise ForbiddenError("only people who logged in have an account", got=caller.name, code="no-account")
    return caller.user_id


def _role(word: str) -> Role:
    if word not in set(Role):
        raise InputError("not a role", expected=" | ".join(OF_PEOPLE), got=word, code="user-role")
    return Role(word)
