"""Row 24: SIGTERM under load: every part ends within 30 s, what was acknowledged is there, what was begun goes on."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import replace

import httpx
import pytest
import uvicorn

from services.inspection import work
from services.inspection.judging import BATCH
from services.jobs import LeasePolicy
from services.parts.shared import stop_on_signals
from services.records.session import Database
from tests.faults import mutants
from tests.faults.pages import app_of
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.processes import running

pytestmark = pytest.mark.faults

PATIENCE_S = 30.0
LOAD_S = 2.5
POLICY = LeasePolicy(lease_s=5, max_attempts=50, backoff_s=0.01, backoff_limit_s=1)


def api(plant: Plant, port: int) -> None:
    with closing(Database(plant.url)) as database:
        uvicorn.run(app_of(plant, database), port=port, log_config=None, timeout_graceful_shutdown=5)


def watch(plant: Plant) -> None:
    with closing(Machine(plant)) as machine:
        machine.watcher().run(stop_on_signals(), 0.05)


def inspect(plant: Plant, mutant: Callable[[], AbstractContextManager[None]]) -> None:
    """A worker whose classifier takes a while: a long capture is cut short between two batches."""
    stop = stop_on_signals()
    with closing(Machine(plant, lambda point: time.sleep(0.1 if point == "classify" else 0))) as machine, mutant():
        work(machine.place, lambda _: machine.classifier, stop, idle_s=0.05)


def send(plant: Plant) -> None:
    stop = stop_on_signals()
    with closing(Machine(plant)) as machine:
        while not stop.wait(0.05):
            machine.relay()


class Client(threading.Thread):
    """Uploads file after file; whatever is not acknowledged is sent again at the end."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.url, self.number = f"http://127.0.0.1:{port}", number
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self.stop = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as web:
            while not self.stop.is_set():
                text = f"C{self.number}@1\n" + "0 " * len(self.sent) + "0"
                self.sent.add(text)
                try:
                    answer = web.post("/api/v1/captures", files={"file": ("u.001", text.encode())})
                except httpx.TransportError:
                    self.stop.wait(0.1)
                    continue
                if answer.status_code == 202:
                    self.acknowledged.add(text)


def load(plant: Plant, mutant: Callable[[], AbstractContextManager[None]] = nullcontext) -> set[str]:
    """Everything runs and is ended in the middle of it; returns all contents that were sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    clients = [Client(port, number) for number in range(2)]
    texts: set[str] = set()
    with ExitStack() as stack:
        parts = [stack.enter_context(running(part, plant)) for part in (watch, send)]
        parts += [stack.enter_context(running(inspect, plant, mutant)) for _ in range(2)]
        parts.append(stack.enter_context(running(api, plant, port)))
        for client in clients:
            client.start()
        end = time.monotonic() + 150
        while not all(client.acknowledged for client in clients):
            assert time.monotonic() < end, "the API did not start"
            time.sleep(0.1)
        end = time.monotonic() + LOAD_S
        while time.monotonic() < end:
            text = f"T{len(texts)}@1 " + "0 " * (3 * BATCH)
            texts.add(text)
            plant.put(f"{len(texts)}.001", text)
            time.sleep(0.15)
        began = time.monotonic()
        for part in parts:
            os.kill(part.pid or 0, signal.SIGTERM)
        for part in parts:
            part.join(PATIENCE_S)
        took = time.monotonic() - began
        for client in clients:
            client.stop.set()
            client.join()
        assert [part.exitcode for part in parts[:-1]] == [0] * 4
        assert parts[-1].exitcode in (0, -signal.SIGTERM), "uvicorn ends by the signal once it has drained"
        assert took < PATIENCE_S
    with closing(Machine(plant)) as machine:
        acknowledged = set().union(*(client.acknowledged for client in clients))
        assert acknowledged <= in_spool(plant), "an upload was acknowledged and is not there"
        for number, text in enumerate(set().union(*(client.sent for client in clients)) - acknowledged):
            plant.put(f"again {number}.001", text)  # as a client does that got no answer
        machine.ingest()
        machine.work()
        machine.relay()
    return texts | set().union(*(client.sent for client in clients))


def in_spool(plant: Plant) -> set[str]:
    return {path.read_text() for path in (plant.folder / "spool").iterdir()}


def test_everything_ends_in_time_and_goes_on_where_it_was(plant: Plant) -> None:
    plant = replace(plant, policy=POLICY)
    check_invariant(plant, load(plant), most_repeats=0)


def test_a_worker_that_forgets_what_it_held_is_seen(plant: Plant) -> None:
    plant = replace(plant, policy=POLICY)
    texts = load(plant, mutants.stopped_is_done)
    with pytest.raises(AssertionError):
        check_invariant(plant, texts)
