"""Routings in force: only added, the newest holds, and two people cannot overwrite each other unseen."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.domain.errors import InputError
from services.records.session import Database
from services.routing.history import CurrentRouting, apply, history, in_force, plain_routing
from services.settings import Settings
from tests.services.routing.test_routing import ROUTING


def test_the_newest_holds_and_workers_see_it(database: Database, tmp_path: object) -> None:
    settings = Settings(home=tmp_path)  # type: ignore[arg-type]
    current = CurrentRouting(database, settings)
    assert current() == plain_routing(settings)
    with database.write() as session:
        assert apply(session, ROUTING, actor="Zoë", note="first") == 1
    assert current() == ROUTING
    with database.write() as session:
        apply(session, ROUTING.without_canary("all"), actor="Zoë", note="enough")
    assert current().rules[-1].canary is None
    with database.read() as session:
        assert [(one.number, one.actor, one.note) for one in history(session)] == [
            (2, "Zoë", "enough"),
            (1, "Zoë", "first"),
        ]
        change = in_force(session)
    assert change is not None
    assert change.routing == current()


def test_who_did_not_see_the_newest_changes_nothing(database: Database) -> None:
    with database.write() as session:
        apply(session, ROUTING, actor="a", note="", after=0)
    with pytest.raises(InputError) as caught, database.write() as session:
        apply(session, ROUTING, actor="b", note="", after=0)
    assert caught.value.code == "routing-stale"


@pytest.mark.parametrize("statement", ["UPDATE routing SET note = 'x'", "DELETE FROM routing"])
def test_history_cannot_be_changed(database: Database, statement: str) -> None:
    with database.write() as session:
        apply(session, ROUTING, actor="a", note="")
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))
