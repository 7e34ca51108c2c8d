"""Tokens: what is kept of them, and that none does more than its owner may."""

from collections.abc import Collection

import pytest
from sqlalchemy import select

from models.domain.errors import InputError
from services.access import tokens, users
from services.access.roles import GRANTS, Role
from services.access.tokens import MARK, create_token, principal_of_token, revoke_token
from services.records.access_tables import TokenRow
from services.records.journal import journal
from services.records.session import Database
from tests.services.access.people import let_in, token_for


def test_a_token_is_random_and_kept_as_its_hash(database: Database) -> None:
    secrets = {token_for(database, Role.INGEST) for _ in range(3)}
    assert len(secrets) == 3
    with database.read() as session:
        rows = session.scalars(select(TokenRow)).all()
        noted = str([dict(one.detail) for one in journal(session)])
    for secret in secrets:
        assert secret.startswith(MARK)
        assert len(secret) == len(MARK) + 43, "256 bits"
        assert secret not in noted
        (row,) = (one for one in rows if one.hash == tokens.hash_of(secret))
        assert secret not in (row.prefix, row.hash)
        assert secret.startswith(row.prefix)
        assert len(row.prefix) <= 11, "the rest is not to be guessed from it"


@pytest.mark.parametrize("scopes", [{Role.INGEST}, {Role.METRICS}, {Role.VIEWER, Role.INGEST}])
def test_a_tools_token_may_what_its_scopes_say(database: Database, scopes: Collection[Role]) -> None:
    principal = principal_of_token(database, token_for(database, *scopes))
    assert principal is not None
    assert principal.grants == frozenset[Role]().union(*(GRANTS[scope] for scope in scopes))
    assert principal.name == "script (token)"


def test_a_token_may_no_more_than_its_owner(database: Database) -> None:
    zoe = let_in(database, "zoe", Role.ENGINEER)
    with pytest.raises(InputError, match="more than its owner"):
        token_for(database, Role.ADMIN, owner="zoe")
    secret = token_for(database, Role.ENGINEER, owner="zoe")
    with database.write() as session:
        users.change_role(session, let_in_admin(database), Role.ADMIN, by="test")
    principal = principal_of_token(database, secret)
    assert principal is not None
    assert principal.may(Role.ENGINEER)
    assert principal.name == "zoe (script)"
    with database.write() as session:
        users.change_role(session, zoe, Role.VIEWER, by="test")
    principal = principal_of_token(database, secret)
    assert principal is not None
    assert principal.grants == GRANTS[Role.VIEWER]


def let_in_admin(database: Database) -> int:
    return let_in(database, "boss", Role.ADMIN)


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [("", {Role.INGEST}, 1), ("x", set(), 1), ("x", {Role.INGEST}, 0), ("x\n", {Role.INGEST}, 1)],
)
def test_a_token_says_for_what_and_until_when(database: Database, name: str, scopes: set[Role], days: int) -> None:
    with pytest.raises(InputError), database.write() as session:
        create_token(session, name, scopes, days=days, owner=None, by="test")


def test_somebody_elses_token_is_not_theirs_to_revoke(database: Database) -> None:
    zoe = let_in(database, "zoe", Role.VIEWER)
    token_for(database, Role.INGEST)
    with database.read() as session:
        (token,) = tokens.tokens(session).items
        assert tokens.tokens(session, of_user=zoe).items == ()
    with pytest.raises(InputError, match="no such token"), database.write() as session:
        revoke_token(session, token.id, by="zoe", of_user=zoe)
