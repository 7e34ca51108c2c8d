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


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes that fails as it should."""
    began = time.monotonic()
    with pytest.raises(RetryableError, match="database does not answer"):
        call()
    return time.monotonic() - began


def ask(database: Database) -> None:
    with database.read() as session:
        session.execute(text("SELECT 1"))


def test_nobody_waits_longer_than_the_watchdog(postgres_plant: Plant, postgres: Postgres) -> None:
    postgres_plant.put("before.001", "T1@1")
    postgres_plant.put("meanwhile.001", "T2@2")
    longest = 0.0
    with (
        closing(Machine(postgres_plant)) as machine,
        served(app_of(postgres_plant, machine.database)) as url,
        httpx.Client(base_url=url, timeout=30) as web,
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
                    longest = max(longest, seconds(call))
                began = time.monotonic()
                assert web.get("/healthz").status_code == 200
                assert time.monotonic() - began < 0.5
                assert web.get("/readyz").status_code == 503
                longest = max(longest, time.monotonic() - began)
            assert {path.name for path in postgres_plant.watch.iterdir()} == {"before.001", "meanwhile.001"}
        assert longest < WATCHDOG_S + SLACK_S
        assert web.get("/readyz").status_code == 200
        machine.ingest()
        machine.work()
        machine.relay()
    check_invariant(postgres_plant, {"T1@1", "T2@2"})


def test_a_statement_under_way_is_cut_too(postgres_plant: Plant, postgres: Postgres) -> None:
    with closing(Database(postgres_plant.url)) as database:

        def stop_in_the_middle() -> None:
            with database.write() as session:
                session.execute(text("SELECT 1"))
                with stopped(postgres):
                    session.execute(text("SELECT 2"))

        assert seconds(stop_in_the_middle) < WATCHDOG_S + SLACK_S
        ask(database)


def test_without_a_watchdog_it_would_be_seen(postgres_plant: Plant, postgres: Postgres) -> None:
    with mutants.no_watchdog(), closing(Database(postgres_plant.url)) as database:
        ask(database)
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            with stopped(postgres):
                asked = pool.submit(ask, database)
                time.sleep(WATCHDOG_S + 2)
            asked.result()
        assert time.monotonic() - began > WATCHDOG_S + SLACK_S
