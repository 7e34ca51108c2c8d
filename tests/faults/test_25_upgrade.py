"""Row 25: the tables are migrated while a queue is in flight: old workers finish, new ones take over, nothing is lost.

The processes of the version before are played by their statements: rows of the shape before, written with a pause in
the middle of each transaction while the upgrade runs beside them.
"""

import hashlib
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from services.intake.spool import Spool
from services.records import queries
from services.records.migrations import upgrade
from services.records.session import Database
from services.records.tables import JobState
from tests.faults.plant import Machine, Plant, check_invariant
from tests.postgres import Postgres

pytestmark = pytest.mark.faults

BEFORE = "0006"
"""The last step before verdicts were split by month."""
LONG_AGO = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
DONE, FINISHING, RUNNING, WAITING = range(0, 20), range(20, 60), range(60, 70), range(70, 90)
WINDOWS = 6


@pytest.fixture(params=["sqlite", "postgres"])
def old_plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plant]:
    """The tables of the version before."""
    server: Postgres | None = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    url = f"sqlite:///{tmp_path / 'old.db'}" if server is None else server.create_empty()
    with closing(Database(url)) as database:
        upgrade(database, to=BEFORE)
    yield Plant(url, tmp_path / "plant").build()
    if server is not None:
        server.drop(url)


def content(number: int) -> str:
    """Normal windows alone: the alerts of old rules are not what this is about."""
    return "0 " * WINDOWS + f"{3 * (number // 10)} {3 * (number % 10)}"


def sha(number: int) -> str:
    return hashlib.sha256(content(number).encode()).hexdigest()


def insert(connection: Connection, table: str, **values: Any) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    given = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({given})"), values)


def written(connection: Connection, at: datetime) -> str:
    """A moment as each database keeps it."""
    return at.isoformat() if connection.dialect.name == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S.%f}"


def queue(plant: Plant, connection: Connection) -> None:
    """Files on every stage of their way."""
    spool, at = Spool(plant.folder / "spool", limit_bytes=1 << 20), written(connection, LONG_AGO)
    for number in range(WAITING.stop):
        spool.store(io.BytesIO(content(number).encode()), "")
        insert(connection, "source_file", sha256=sha(number), size_bytes=1, name=f"{number}.001", received_at=at)
        is_running = number in FINISHING or number in RUNNING
        insert(
            connection, "job", id=number + 1, dedupe_key=hashlib.sha256(f"j{number}".encode()).hexdigest(),
            sha256=sha(number), route="b" * 64, state="running" if is_running else "queued", sender="", priority=100,
            attempts=int(is_running), fence=int(is_running), lease_until=at if is_running else None, not_before=at,
            created_at=at, windows_done=0,
        )  # fmt: skip
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval('job_id_seq', 1000)"))


def finish(connection: Connection, number: int, when: datetime, pause_s: float = 0.0) -> None:
    """What a worker of the version before writes at the end of a job, in its order."""
    at, identity = written(connection, when), hashlib.sha256(f"i{number}".encode()).hexdigest()
    connection.execute(text("UPDATE job SET state = 'done', fence = 1 WHERE id = :id"), {"id": number + 1})
    time.sleep(pause_s)
    insert(
        connection, "capture", id=sha(number), sha256=sha(number), kind="image", name=f"{number}.001", height=4,
        width=32, tool="T9",
    )  # fmt: skip
    insert(
        connection, "inspection", id=identity, capture_id=sha(number), job_id=number + 1, fence=1, bundle_name="wafer",
        bundle_version="3", bundle_digest="b" * 64, normal="Normal", started_at=at, duration_s=0.1, recorded_at=at,
        label="Normal", confidence=0.9, novelty=0.5, reason="confident", windows=WINDOWS + 2, counts="{}",
    )  # fmt: skip
    time.sleep(pause_s)
    for ordinal in range(WINDOWS + 2):
        insert(
            connection, "verdict", inspection_id=identity, ordinal=ordinal, level=0, level_height=4, level_width=32,
            top=0, left=4 * ordinal, height=4, width=4, label="Normal", confidence=0.9, novelty=0.5,
            reason="confident", likeliest="Normal", runner_up_confidence=0.0, also=json.dumps([]),
        )  # fmt: skip


class OldWorker(threading.Thread):
    """Finishes its jobs one after the other; a refusal of the moment is tried again, as it always was."""

    def __init__(self, url: str, numbers: range) -> None:
        super().__init__()
        self._url, self._numbers = url, numbers
        self.begun = threading.Event()
        self.error: DBAPIError | None = None

    def run(self) -> None:
        engine = create_engine(self._url, connect_args={"timeout": 20} if self._url.startswith("sqlite") else {})
        try:
            for number in self._numbers:
                self._finish(engine, number)
                self.begun.set()
                time.sleep(0.05)  # SQLite serves those who wait in no order
        except DBAPIError as error:
            self.error = error
        engine.dispose()

    @staticmethod
    def _finish(engine: Engine, number: int) -> None:
        for tries_left in reversed(range(50)):
            try:
                with engine.begin() as connection:
                    finish(connection, number, datetime.now(UTC), pause_s=0.01)
            except OperationalError:
                if tries_left == 0:
                    raise
                time.sleep(0.1)
            else:
                return


def migrate_under_load(plant: Plant) -> list[OldWorker]:
    engine = create_engine(plant.url)
    with engine.begin() as connection:
        queue(plant, connection)
        for number in DONE:
            finish(connection, number, LONG_AGO)
    engine.dispose()
    half = len(FINISHING) // 2
    workers = [OldWorker(plant.url, FINISHING[:half]), OldWorker(plant.url, FINISHING[half:])]
    for worker in workers:
        worker.start()
        worker.begun.wait(30)
    with closing(Database(plant.url)) as database:
        upgrade(database)
    for worker in workers:
        worker.join(120)
    return workers


def test_old_jobs_finish_and_nothing_is_lost(old_plant: Plant) -> None:
    workers = migrate_under_load(old_plant)
    assert [worker.error for worker in workers] == [None, None]
    with closing(Machine(old_plant)) as machine:
        machine.work()
        machine.relay()
        with machine.database.read() as session:
            done = queries.jobs(session, states=[JobState.DONE], limit=1000).items
            listed = queries.inspections(session, which=queries.InspectionFilter(tool="T9"), limit=1000).items
            found = [queries.inspection(session, one.id) for one in listed]
    assert len(done) == WAITING.stop
    assert len(listed) == WAITING.stop, "the copies of the capture's tool are there for old and new rows"
    assert {len(one.verdicts) for one in found if one is not None} == {WINDOWS + 2}
    check_invariant(old_plant, {content(number) for number in range(WAITING.stop)})


def test_a_step_that_old_workers_cannot_live_with_is_seen(old_plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment of a verdict without a default: whoever does not know of it cannot write any more."""
    from alembic import op

    real = op.create_table

    def create_table(name: str, *columns: Any, **options: Any) -> Any:
        for column in columns:
            if name == "verdict" and getattr(column, "name", None) == "recorded_at":
                column.server_default = None
        return real(name, *columns, **options)

    monkeypatch.setattr(op, "create_table", create_table)
    workers = migrate_under_load(old_plant)
    assert any(worker.error is not None for worker in workers)
