"""People and their keys, for tests."""

from services.access import tokens, users
from services.access.passwords import Hashed, hash_password
from services.access.roles import Role
from services.records.session import Database
from tests.services.api.conftest import Service

PASSWORD = "correct horse battery"
_HASHED: list[Hashed] = []


def hashed() -> Hashed:
    """`PASSWORD` as it is stored; hashing takes as long as most tests, so it is done once."""
    if not _HASHED:
        _HASHED.append(hash_password(PASSWORD))
    return _HASHED[0]


def let_in(database: Database, name: str, role: Role) -> int:
    """A user with `PASSWORD`; their id."""
    with database.write() as session:
        return users.add_user(session, name, role, hashed(), by="test").id


def token_for(database: Database, *scopes: Role, owner: str | None = None) -> str:
    """A token's secret."""
    with database.write() as session:
        of = None if owner is None else users.user_named(session, owner)
        return tokens.create_token(session, "script", scopes, days=1, owner=of, by="test")[0]


def log_in(service: Service, name: str) -> dict[str, str]:
    """The header with the cookies of a login; sent by hand, because clients keep secure cookies from plain HTTP."""
    answer = service.client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    pairs = [cookie.split(";")[0] for cookie in answer.headers.get_list("set-cookie")]
    service.client.cookies.clear()
    return {"Cookie": "; ".join(pairs)}
