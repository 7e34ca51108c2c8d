"""Row 4: the database's clock jumps by an hour or a day, either way, at any moment; no job is stuck for two leases."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, text

from models.domain.errors import RetryableError
from services.records.session import Database, now
from services.records.tables import JobState
from tests.faults import mutants
from tests.faults.plant import POLICY, Machine, Plant, check_invariant

HOUR, DAY = 3600.0, 86_400.0
JUMPS = [-DAY, -HOUR, HOUR, DAY]


class Clock:
    """The database's clock under our hand, on both databases, without the library knowing.

    On SQLite the function that tells the time is replaced; on PostgreSQL another one of that name is found first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._offset_s = 0.0
        for engine in (database.engine, database._read_engine):
            event.listen(engine, "connect", self._replace)
        if not database.is_sqlite:
            with database.write() as session:
                session.execute(text("CREATE SCHEMA IF NOT EXISTS faked"))
                session.execute(text("CREATE TABLE IF NOT EXISTS faked.clock (seconds double precision)"))
                session.execute(text("TRUNCATE faked.clock"))
                session.execute(text("INSERT INTO faked.clock VALUES (0)"))
                session.execute(
                    text(
                        "CREATE OR REPLACE FUNCTION faked.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ "
                        "SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM faked.clock $$"
                    )
                )
            database.close()  # connections made from now on look there

    def _replace(self, connection: object, _: object) -> None:
        if self._database.is_sqlite:
            connection.create_function("strftime", -1, lambda *_: self._sqlite_now())  # type: ignore[attr-defined]
        else:
            connection.execute("SET search_path = faked, pg_catalog, public")  # type: ignore[attr-defined]
            connection.commit()  # type: ignore[attr-defined]

    def _sqlite_now(self) -> str:
        return (datetime.now(UTC) + timedelta(seconds=self._offset_s)).strftime("%Y-%m-%d %H:%M:%S.%f")

    def jump(self, seconds: float) -> None:
        self._offset_s += seconds
        if not self._database.is_sqlite:
            with self._database.write() as session:
                session.execute(text("UPDATE faked.clock SET seconds = :seconds"), {"seconds": self._offset_s})


@pytest.fixture
def machine(plant: Plant) -> Iterator[Machine]:
    machine = Machine(plant)
    yield machine
    machine.close()


@pytest.fixture
def clock(machine: Machine) -> Clock:
    return Clock(machine.database)


def settle_within_two_leases(machine: Machine, clock: Clock) -> None:
    """Time goes on, half a lease at a step."""
    for _ in range(5):
        machine.work()
        machine.relay()
        clock.jump(POLICY.lease_s / 2)


def die() -> None:
    raise KeyboardInterrupt


def break_down() -> None:
    raise RetryableError("down")


def test_the_clock_can_be_set(machine: Machine, clock: Clock) -> None:
    with machine.database.read() as session:
        before = now(session)
    clock.jump(-DAY)
    with machine.database.read() as session:
        assert timedelta(hours=23) < before - now(session) < timedelta(hours=25)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("happening", [None, die, break_down])
def test_a_jump_between_any_two_steps_strands_no_job(
    machine: Machine, clock: Clock, jump: float, happening: Callable[[], None] | None
) -> None:
    """The clock jumps while a job waits, is held by a worker that dies, or rests after a failure."""
    machine.plant.put("lot7.001", "1 2 99")
    machine.ingest()
    if happening is None:
        clock.jump(jump)
    else:
        machine.classifier.before = happening
        with pytest.raises(KeyboardInterrupt) if happening is die else nullcontext():
            machine.work_one()
        machine.classifier.before = lambda: None
        clock.jump(jump)
    settle_within_two_leases(machine, clock)
    check_invariant(machine.plant, {"1 2 99"})


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_strands_no_message(machine: Machine, clock: Clock, jump: float) -> None:
    """The relay dies with the message in its hand, then the clock jumps."""
    machine.plant.put("lot7.001", "1")
    machine.ingest()
    machine.work()
    machine.receiver._around = lambda point: die() if point == "before sending" else None
    with pytest.raises(KeyboardInterrupt):
        machine.relay_one()
    machine.receiver._around = lambda _: None
    clock.jump(jump)
    settle_within_two_leases(machine, clock)
    check_invariant(machine.plant, {"1"})


def test_a_jump_in_the_middle_of_the_work_costs_at_most_the_try(machine: Machine, clock: Clock) -> None:
    machine.plant.put("lot7.001", "1")
    machine.ingest()
    machine.classifier.before = lambda: clock.jump(DAY)
    machine.work_one()
    machine.classifier.before = lambda: None
    settle_within_two_leases(machine, clock)
    check_invariant(machine.plant, {"1"})


@pytest.mark.parametrize("happening", [die, break_down])
def test_without_the_guard_a_job_would_wait_for_yesterday(
    machine: Machine, clock: Clock, happening: Callable[[], None]
) -> None:
    machine.plant.put("lot7.001", "1")
    machine.ingest()
    machine.classifier.before = happening
    with pytest.raises(KeyboardInterrupt) if happening is die else nullcontext():
        machine.work_one()
    machine.classifier.before = lambda: None
    clock.jump(-DAY)
    with mutants.no_backward_clock_guard():
        settle_within_two_leases(machine, clock)
    with pytest.raises(AssertionError, match=JobState.RUNNING.name if happening is die else JobState.QUEUED.name):
        check_invariant(machine.plant, {"1"})
