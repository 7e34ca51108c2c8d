"""Row 7: PostgreSQL is stopped for 25 s: no call waits longer than the watchdog, the API says so, all goes on after."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest
from sqlalchemy import text

from models.domain.errors import RetryableError
from services.records.session import Database
from tests.faults import mutants
from tests.faults.pages import app_of
from tests.faults.plant import Machine, Plant, check_invariant
from tests.postgres import Postgres
from tests.waiting import Pace, eventually
from tests.web import served

pytestmark = pytest.mark.faults

WATCHDOG_S = 3.0
SLACK_S = 0.7
STOPPED_S = float(os.environ.get("WAFERWATCH_TEST_STOPPED_S", "25"))


@contextmanager
def stopped(server: Postgres) -> Iterator[None]:
    """Every process of the server, as it is at this moment."""
    pids = server.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def fails(call: Callable[[], object]) -> None:
    """A call fails as it should."""
    with pytest.raises(RetryableError, match="database does not answer"):
        call()


def ask(database: Database) -> None:
    with database.read() as session:
        session.execute(text("SELECT 1"))


def answers(database: Database) -> bool:
    try:
        ask(database)
    except RetryableError:
        return False
    return True


def expect(web: httpx.Client, path: str, status: int) -> None:
    assert web.get(path).status_code == status


def test_nobody_waits_longer_than_the_watchdog(postgres_plant: Plant, postgres: Postgres) -> None:
    postgres_plant.put("before.001", "T1@1")
    postgres_plant.put("meanwhile.001", "T2@2")
    longest = 0.0
    with (
        closing(Machine(postgres_plant)) as machine,
        served(app_of(postgres_plant, machine.database)) as url,
        httpx.Client(base_url=url, timeout=30) as web,
        Pace() as pace,
    ):
        watcher = machine.watcher()
        watcher.look()  # once: it takes what it has seen before, below
        machine.relay()
        ask(machine.database)
        assert web.get("/readyz").status_code == 200
        with stopped(postgres):
            end = time.monotonic() + STOPPED_S
            while time.monotonic() < end:
                for call in (watcher.look, machine.work_one, machine.relay_one, lambda: ask(machine.database)):
                    longest = max(longest, pace.of(lambda call=call: fails(call)))
                assert pace.of(lambda: expect(web, "/healthz", 200)) < 0.5
                longest = max(longest, pace.of(lambda: expect(web, "/readyz", 503)))
            assert {path.name for path in postgres_plant.watch.iterdir()} == {"before.001", "meanwhile.001"}
        assert longest < WATCHDOG_S + SLACK_S
        assert eventually(lambda: web.get("/readyz").status_code == 200)
        machine.ingest()
        machine.work()
        machine.relay()
    check_invariant(postgres_plant, {"T1@1", "T2@2"})


def test_a_statement_under_way_is_cut_too(postgres_plant: Plant, postgres: Postgres) -> None:
    with closing(Database(postgres_plant.url)) as database, Pace() as pace:

        def stop_in_the_middle() -> None:
            with database.write() as session:
                session.execute(text("SELECT 1"))
                with stopped(postgres):
                    session.execute(text("SELECT 2"))

        assert pace.of(lambda: fails(stop_in_the_middle)) < WATCHDOG_S + SLACK_S
        assert eventually(lambda: answers(database))


def test_without_a_watchdog_it_would_be_seen(postgres_plant: Plant, postgres: Postgres) -> None:
    def wait_for_the_server() -> None:
        with ThreadPoolExecutor(1) as pool:
            with stopped(postgres):
                asked = pool.submit(ask, database)
                end = pace.lived_s + WATCHDOG_S + 2
                while pace.lived_s < end:
                    time.sleep(0.05)
            asked.result()

    with mutants.no_watchdog(), closing(Database(postgres_plant.url)) as database, Pace() as pace:
        ask(database)
        assert pace.of(wait_for_the_server) > WATCHDOG_S + SLACK_S
