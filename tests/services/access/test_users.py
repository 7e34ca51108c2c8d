"""Users: how names are compared, what is kept of passwords, and that somebody can always decide about users."""

import pytest
from sqlalchemy import select

from models.domain.errors import InputError
from services.access import logins, users
from services.access.logins import Browser
from services.access.passwords import LONGEST, SHORTEST, fits, hash_password
from services.access.roles import Role
from services.records.access_tables import LoginRow, UserRow
from services.records.journal import first_broken, journal
from services.records.session import Database
from tests.services.access.people import PASSWORD, hashed, let_in


def test_of_a_password_argon2id_is_kept(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    with database.read() as session:
        stored = session.scalars(select(UserRow.password_hash)).one()
    assert stored is not None
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert fits(PASSWORD, stored)
    assert not fits(PASSWORD + " ", stored)
    assert not fits("", stored)
    assert not fits(PASSWORD, None)
    assert not fits(PASSWORD, "not a hash")


@pytest.mark.parametrize("length", [0, SHORTEST - 1, LONGEST + 1])
def test_passwords_have_a_length(length: int) -> None:
    with pytest.raises(InputError, match="wrong length"):
        hash_password("x" * length)


@pytest.mark.parametrize("same", ["zoë", "ZOË", " Zoë ", "Zoe\u0308"])
def test_names_that_look_alike_are_one(database: Database, same: str) -> None:
    let_in(database, "Zoë", Role.VIEWER)
    with database.write() as session, pytest.raises(InputError, match="taken"):
        users.add_user(session, same, Role.ADMIN, hashed(), by="test")
    with database.read() as session:
        assert users.user_named(session, same).role is Role.VIEWER


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "zo\ne", "a\x00b"])
def test_a_name_can_be_printed(database: Database, name: str) -> None:
    with database.write() as session, pytest.raises(InputError, match="not a user name"):
        users.add_user(session, name, Role.VIEWER, hashed(), by="test")


@pytest.mark.parametrize("role", [Role.INGEST, Role.METRICS])
def test_roles_of_tools_are_not_for_people(database: Database, role: Role) -> None:
    with database.write() as session, pytest.raises(InputError, match="not a role of people"):
        users.add_user(session, "zoe", role, hashed(), by="test")


def test_the_last_admin_stays(database: Database) -> None:
    boss = let_in(database, "boss", Role.ADMIN)
    for attempt in (
        lambda session: users.disable_user(session, boss, by="boss"),
        lambda session: users.change_role(session, boss, Role.VIEWER, by="boss"),
    ):
        with pytest.raises(InputError, match="nobody would be left"), database.write() as session:
            attempt(session)
    other = let_in(database, "other", Role.ADMIN)
    with database.write() as session:
        users.disable_user(session, boss, by="other")
    with pytest.raises(InputError, match="nobody would be left"), database.write() as session:
        users.change_role(session, other, Role.VIEWER, by="other")


@pytest.mark.parametrize("way", ["password", "disabled"])
def test_logins_end_with_what_they_were_begun_with(database: Database, way: str) -> None:
    let_in(database, "boss", Role.ADMIN)
    zoe = let_in(database, "zoe", Role.VIEWER)
    here = logins.log_in(database, "zoe", PASSWORD, Browser("10.0.0.1", None))
    there = logins.log_in(database, "zoe", PASSWORD, Browser("10.0.0.2", None))
    principal = logins.principal_of_login(database, here.login)
    assert principal is not None
    with database.write() as session:
        if way == "password":
            users.set_password(
                session, zoe, hash_password("another one, longer"), by="zoe", keep_login=principal.login_id
            )
        else:
            users.disable_user(session, zoe, by="boss")
    assert (logins.principal_of_login(database, here.login) is None) is (way == "disabled")
    assert logins.principal_of_login(database, there.login) is None


def test_cookies_are_not_kept(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    shown = logins.log_in(database, "zoe", PASSWORD, Browser("10.0.0.1", None))
    with database.read() as session:
        row = session.scalars(select(LoginRow)).one()
    assert shown.login not in (row.hash, row.device)
    assert shown.device not in (row.hash, row.device)
    assert len(shown.login) >= 43, "256 bits"


def test_each_change_is_in_the_journal_with_who_and_before_and_after(database: Database) -> None:
    let_in(database, "boss", Role.ADMIN)
    zoe = let_in(database, "zoe", Role.VIEWER)
    with database.write() as session:
        users.change_role(session, zoe, Role.OPERATOR, by="boss")
        users.disable_user(session, zoe, by="boss")
        users.disable_user(session, zoe, by="boss")  # nothing happens, nothing is said
        users.enable_user(session, zoe, by="boss")
    with database.read() as session:
        told = [(one.actor, one.deed, one.subject, dict(one.detail)) for one in journal(session, limit=4)]
        assert first_broken(session) is None
    assert told == [
        ("boss", "user enabled", "zoe", {}),
        ("boss", "user disabled", "zoe", {}),
        ("boss", "role changed", "zoe", {"before": "viewer", "after": "operator"}),
        ("test", "user added", "zoe", {"role": "viewer"}),
    ]
