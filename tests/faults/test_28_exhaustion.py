"""Row 28: files, memory or connections run out: 503 and a metric, no job is blamed, and all recovers by itself."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import httpx
import psutil
import pytest
import uvicorn
from sqlalchemy import text

from services.records import queries
from services.records.session import Database
from services.records.tables import JobState
from tests.faults import mutants
from tests.faults.pages import app_of
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.processes import running
from tests.web import served

pytestmark = pytest.mark.faults

SPARE_FILES = 12


def api(plant: Plant, port: int, *, blind: bool) -> None:
    """The API with few files to spare."""
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(plant.url)))
        queries_open(database)
        if blind:
            stack.enter_context(mutants.nothing_runs_out())
        app = app_of(plant, database)
        used = psutil.Process().num_fds()
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + SPARE_FILES, used + SPARE_FILES))
        uvicorn.run(app, port=port, log_config=None, timeout_graceful_shutdown=1)


def queries_open(database: Database) -> None:
    """Connections that are open already are not what runs out."""
    with database.read() as reading, database.write() as writing:
        reading.execute(text("SELECT 1"))
        writing.execute(text("SELECT 1"))


@contextmanager
def few_files(plant: Plant, *, blind: bool = False) -> Iterator[httpx.Client]:
    """A client with a connection of its own to an API process; its sockets are taken up by others one by one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    with (
        running(api, plant, port, blind=blind),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as web,
    ):
        end = time.monotonic() + 150
        while True:
            try:
                assert web.get("/healthz").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < end
                time.sleep(0.1)
        yield web


@contextmanager
def idle_sockets(web: httpx.Client, number: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(("127.0.0.1", web.base_url.port or 0), timeout=5))
        time.sleep(0.5)
        yield


def upload(web: httpx.Client) -> httpx.Response:
    return web.post("/api/v1/captures", files={"file": ("a.001", b"T1@1 0")})


def test_sockets_that_take_up_all_files(plant: Plant) -> None:
    with few_files(plant) as web:
        with idle_sockets(web, 2 * SPARE_FILES):
            answer = upload(web)
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            assert web.get("/healthz").status_code == 200
        end = time.monotonic() + 20
        while (answer := upload(web)).status_code == 503 and time.monotonic() < end:
            time.sleep(0.2)
        assert answer.status_code == 202
        assert 'waferwatch_exhausted_total{resource="files"}' in web.get("/metrics").text
    with closing(Machine(plant)) as machine:
        machine.work()
        machine.relay()
    check_invariant(plant, {"T1@1 0"})


def test_without_telling_what_ran_out_it_would_be_500(plant: Plant) -> None:
    with few_files(plant, blind=True) as web, idle_sockets(web, 2 * SPARE_FILES):
        assert upload(web).status_code == 500


def test_connections_that_are_all_taken(plant: Plant) -> None:
    with (
        closing(Database(plant.url)) as database,
        served(app_of(plant, database)) as url,
        httpx.Client(base_url=url, timeout=30) as web,
    ):
        with ExitStack() as stack:
            for _ in range(15):  # the pool and its overflow
                stack.enter_context(database.read()).execute(text("SELECT 1"))
            began = time.monotonic()
            answer = web.get("/api/v1/inspections")
            assert (answer.status_code, answer.json()["code"]) == (503, "out-of-connections")
            assert time.monotonic() - began < 4
        assert web.get("/api/v1/inspections").status_code == 200
        assert 'waferwatch_exhausted_total{resource="connections"} 1.0' in web.get("/metrics").text


def test_a_worker_without_files_blames_no_job(plant: Plant) -> None:
    plant.put("lot7.001", "1 2")
    with closing(Machine(plant)) as machine:
        machine.ingest()
        queries_open(machine.database)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            machine.work_one()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with machine.database.read() as session:
            (job,) = queries.jobs(session, states=[JobState.QUEUED]).items
        assert (job.error_code, job.attempts) == ("out-of-files", 0)
        again(machine)
    check_invariant(plant, {"1 2"})


def test_a_worker_without_memory_tries_again(plant: Plant) -> None:
    plant.put("lot7.001", "1 2")
    with closing(Machine(plant)) as machine:
        machine.ingest()
        machine.classifier.before = lambda: bytearray(1 << 62)
        machine.work_one()
        with machine.database.read() as session:
            (job,) = queries.jobs(session, states=[JobState.QUEUED]).items
        assert (job.error_code, job.attempts) == ("out-of-memory", 1)
        machine.classifier.before = lambda: None
        again(machine)
    check_invariant(plant, {"1 2"})


def again(machine: Machine) -> None:
    """When the pause is over."""
    with machine.database.write() as session:
        session.execute(text("UPDATE job SET not_before = created_at"))
    machine.work()
    machine.relay()
