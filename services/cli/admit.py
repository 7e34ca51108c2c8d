"""Verbs about who may do what: `user` and `token`. Who can run these on the service's machine is its first admin."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from models.domain.errors import InputError
from services.access.roles import OF_PEOPLE, Role
from services.cli.installation import me, opened
from services.cli.show import Json, print_json, print_table, terminal

if TYPE_CHECKING:
    from services.access.passwords import Hashed

user = typer.Typer(no_args_is_help=True, help="Who may log in, and as what: viewer, operator, engineer or admin.")
token = typer.Typer(no_args_is_help=True, help="What programs and tools show instead of logging in.")
Name = Annotated[str, typer.Argument(help="The user's name.")]
_ROLES = " | ".join(OF_PEOPLE)


def add_admission(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(user, name="user")
    app.add_typer(token, name="token")


@user.command("add")
def add_user(name: Name, role: Annotated[Role, typer.Option(help=_ROLES)] = Role.VIEWER) -> None:
    """Let somebody in; the first one should be an admin.

    The password is asked for, or read from stdin where that is a file or a pipe; it is never an argument, because
    arguments can be seen by everybody on the machine.
    """
    from services.access import users

    password = _password()
    with opened() as database, database.write() as session:
        users.add_user(session, name, role, password, by=me())
    terminal.print(f"{name} may log in as {role.value}")


@user.command("list")
def list_users(as_json: Json = False) -> None:
    """Who may log in."""
    from services.access import users

    with opened() as database, database.read() as session:
        found = users.users(session).items
    if as_json:
        print_json(found)
    else:
        rows = [
            (one.name, one.role.value, one.issuer or "password", _day(one.last_login_at), _day(one.disabled_at))
            for one in found
        ]
        print_table("users", ("name", "role", "by", "last login", "disabled"), rows)


@user.command("role")
def change_role(name: Name, role: Annotated[Role, typer.Argument(help=_ROLES)]) -> None:
    """Give somebody another role, from their next request on."""
    from services.access import users

    with opened() as database, database.write() as session:
        users.change_role(session, users.user_named(session, name).id, role, by=me())


@user.command("password")
def change_password(name: Name) -> None:
    """Give somebody a new password; their logins end."""
    from services.access import users

    password = _password()
    with opened() as database, database.write() as session:
        users.set_password(session, users.user_named(session, name).id, password, by=me())


@user.command("disable")
def disable_user(name: Name) -> None:
    """Shut somebody out at once, with their logins and tokens."""
    from services.access import users

    with opened() as database, database.write() as session:
        users.disable_user(session, users.user_named(session, name).id, by=me())


@user.command("enable")
def enable_user(name: Name) -> None:
    """Let somebody in again."""
    from services.access import users

    with opened() as database, database.write() as session:
        users.enable_user(session, users.user_named(session, name).id, by=me())


@token.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for: a tool, a script.")],
    scope: Annotated[list[Role], typer.Option(help="What it may do; may be given more than once.")],
    owner: Annotated[str | None, typer.Option("--user", help="The user it acts for; without, it is a tool's.")] = None,
    days: Annotated[int, typer.Option(help="How long it lasts; 0 = without end.")] = 365,
) -> None:
    """Make a token and print it, once: `waferwatch token create SP5-02 --scope ingest`."""
    from services.access import tokens, users

    with opened() as database, database.write() as session:
        of = None if owner is None else users.user_named(session, owner)
        secret, _ = tokens.create_token(session, name, set(scope), days=days or None, owner=of, by=me())
    terminal.print("the token is shown once; send it as 'Authorization: Bearer …'")
    typer.echo(secret)


@token.command("list")
def list_tokens(as_json: Json = False) -> None:
    """Every token, without its secret."""
    from services.access import tokens

    with opened() as database, database.read() as session:
        found = tokens.tokens(session).items
    if as_json:
        print_json(found)
    else:
        rows = [
            (one.prefix, one.name, one.owner or "a tool", ", ".join(one.scopes), _day(one.expires_at),
             _day(one.last_used_at), _day(one.revoked_at))
            for one in found
        ]  # fmt: skip
        print_table("tokens", ("begins", "for", "owner", "may", "until", "last used", "revoked"), rows)


@token.command("revoke")
def revoke_token(prefix: Annotated[str, typer.Argument(help="How it begins, as 'token list' shows it.")]) -> None:
    """Make a token worthless at once."""
    from services.access import tokens

    with opened() as database, database.write() as session:
        found = [one for one in tokens.tokens(session).items if one.prefix == prefix[: len(one.prefix)]]
        if len(found) != 1:
            raise InputError("no such token", where=prefix, expected="one of 'waferwatch token list'")
        tokens.revoke_token(session, found[0].id, by=me())


def _password() -> "Hashed":
    from services.access.passwords import hash_password

    if sys.stdin.isatty():
        return hash_password(str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
    return hash_password(sys.stdin.readline().rstrip("\r\n"))


def _day(moment: object) -> str | None:
    return None if moment is None else str(moment)[:16]
