"""Row 8: PostgreSQL crashes and comes back: the first query after it succeeds, and nothing is lost or doubled."""

from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import text

from models.domain.errors import RetryableError
from services.records.session import Database
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.postgres import Postgres

pytestmark = pytest.mark.faults


def crash(server: Postgres) -> None:
    server.stop("immediate")
    server.start()


def ask(database: Database) -> None:
    with database.read() as session:
        session.execute(text("SELECT 1"))


def test_the_first_query_after_a_crash_succeeds(postgres_plant: Plant, postgres: Postgres) -> None:
    """Between any two steps of a file's way."""
    postgres_plant.put("lot7.001", "1 2\n0")
    with closing(Machine(postgres_plant)) as machine:
        watcher = machine.watcher()
        steps: tuple[Callable[[], object], ...] = (
            watcher.look,
            watcher.look,
            machine.work_one,
            machine.relay_one,
            machine.relay_one,
        )
        for step in steps:
            step()
            crash(postgres)
        assert machine.relay_one() == 0
    check_invariant(postgres_plant, {"1 2\n0"})


def test_a_crash_in_the_middle_of_the_work_costs_a_try(postgres_plant: Plant, postgres: Postgres) -> None:
    """The worker holds a lease, and its heartbeat a connection, when the server goes and does not come back at once."""
    postgres_plant.put("lot7.001", "1 2\n0")
    with closing(Machine(postgres_plant)) as machine:
        machine.ingest()
        machine.classifier.before = lambda: postgres.stop("immediate")
        with pytest.raises(RetryableError, match="database does not answer"):
            machine.work_one()
        machine.classifier.before = lambda: None
        postgres.start()
        with machine.database.write() as session:
            session.execute(text("UPDATE job SET lease_until = created_at"))  # its time has come
        machine.work()
        machine.relay()
    check_invariant(postgres_plant, {"1 2\n0"})


def test_without_a_ping_it_would_be_seen(postgres_plant: Plant, postgres: Postgres) -> None:
    with mutants.no_ping(), closing(Database(postgres_plant.url)) as database:
        ask(database)
        crash(postgres)
        with pytest.raises(RetryableError, match="database does not answer"):
            ask(database)
