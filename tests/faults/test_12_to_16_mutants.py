"""Rows 12 to 16 without Ray: the same failures of replicas, played by a handle, and planted faults they must show.

`test_12_to_16_cluster` kills real replicas, which takes minutes; here each planted fault is caught within seconds by
the same invariant.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from prometheus_client import CollectorRegistry
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from sqlalchemy import false

from models.bundle import load_bundle
from pipelines.simulate import simulate
from services.api.app import create_app
from services.api.backpressure import Backpressure
from services.inspection import Workplace, recording, work_once
from services.inspection.local_classifier import LocalClassifier
from services.jobs import LeasePolicy, complete, lease
from services.parts.api import accepting
from services.parts.shared import Foundation
from services.records.tables import JobState
from services.serving.remote_classifier import RemoteClassifier
from services.supervisor import Part, Supervisor
from services.telemetry.metrics import Metrics
from tests.faults.service_invariant import check_service
from tests.services.conftest import (
    MakeBundle,
    make_bundle,  # noqa: F401 - a fixture
)
from tests.services.serving.service import Service
from tests.services.test_supervisor import SLEEPER, fake_parts  # noqa: F401 - a fixture
from tests.waiting import eventually
from tests.web import served

pytestmark = pytest.mark.faults

CALL_S, LEASE_S = 0.3, 0.6
WAFERS = 4
HASTY = LeasePolicy(lease_s=LEASE_S, max_attempts=3, backoff_s=0.01, backoff_limit_s=0.05, outage_limit_s=0.05)


class Handle:
    """A deployment whose first calls end as replicas end them."""

    def __init__(self, model: LocalClassifier, endings: list[str]) -> None:
        self.model, self.endings = model, endings
        self.classify = self
        self.freed = threading.Event()

    def remote(self, _digest: str, pixels: Any, *_: Any, **__: Any) -> "Handle.Call":
        return Handle.Call(self, self.endings.pop(0) if self.endings else "", pixels)

    class Call:
        """What `remote` gives: its `result` is awaited."""

        def __init__(self, handle: "Handle", ending: str, pixels: Any) -> None:
            self.handle, self.ending, self.pixels = handle, ending, pixels

        def result(self, timeout_s: float | None) -> Any:
            match self.ending:
                case "killed":
                    raise RayActorError
                case "overloaded":
                    raise BackPressureError(num_queued_requests=9, max_queued_requests=9)
                case "stopped":
                    if not self.handle.freed.wait(timeout_s):
                        raise TimeoutError
            return self.handle.model.classify(self.pixels)

        def cancel(self) -> None:
            pass


@pytest.fixture
def service(tmp_path: Path, make_bundle: MakeBundle) -> Service:  # noqa: F811
    made = Service(tmp_path / "home", make_bundle, queue_limit=3)
    made.release(1)
    return made


def worked_off(service: Service, folder: Path, endings: list[str], seconds: float = 10.0) -> None:
    """Wafers are sent and worked on while calls end like this; **I** in the end."""
    model = LocalClassifier(load_bundle(service.store.resolve("champion").folder))
    handle = Handle(model, endings)
    files = list(simulate(folder / "wafers", WAFERS, patterns=("Ring",), defects=(50, 100)).files)
    place = Workplace(service.database, service.spool, "worker", HASTY)
    for path in files:
        service.send(path)

    def classifiers(_: str, **__: object) -> RemoteClassifier:
        return RemoteClassifier(handle, model.manifest, CALL_S)  # type: ignore[arg-type]

    def work() -> None:
        while not stop.is_set():
            if work_once(place, classifiers) is None:
                stop.wait(0.05)

    stop = threading.Event()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert eventually(lambda: service.states() == {JobState.DONE: WAFERS}, seconds), service.states()
    finally:
        stop.set()
        handle.freed.set()
        worker.join(30)
    check_service(service, files)


@contextmanager
def given_up_is_done() -> Iterator[None]:
    """A wafer whose replica died is settled, so that the queue moves on."""

    def settle(session: Any, held: Any, *_: object) -> JobState:
        complete(session, held)
        return JobState.DONE

    with mock.patch.object(recording, "postpone", settle):
        yield


@contextmanager
def an_outage_is_the_files_fault() -> Iterator[None]:
    """Every try counts, whatever ended it: some minutes without a cluster, and wafers are dead."""
    with mock.patch.object(recording, "postpone", recording.fail):
        yield


@contextmanager
def answers_are_waited_for_without_end() -> Iterator[None]:
    """A call ends when the replica answers."""
    real = Handle.Call.result
    with mock.patch.object(Handle.Call, "result", lambda self, timeout_s: real(self, None)):
        yield


@contextmanager
def nobody_takes_over() -> Iterator[None]:
    """What somebody works on is theirs for ever."""
    with mock.patch.object(lease, "_NEXT_SILENT", lease._NEXT.where(false())):
        yield


@pytest.mark.parametrize(
    ("endings", "planted"),
    [
        pytest.param(["killed"] * 9, nullcontext, id="12 replicas killed"),
        pytest.param(["killed"], given_up_is_done, id="12 planted: given up is done"),
        pytest.param(["killed"] * 9, an_outage_is_the_files_fault, id="12 planted: an outage is the file's fault"),
        pytest.param(["stopped"] * 3, nullcontext, id="13 replicas stopped"),
        pytest.param(["stopped"], answers_are_waited_for_without_end, id="13 planted: waits without end"),
        pytest.param(["overloaded"] * 9, nullcontext, id="16 replicas overloaded"),
        pytest.param(["overloaded"] * 9, an_outage_is_the_files_fault, id="16 planted: overload kills wafers"),
    ],
)
def test_replicas_that_fail(service: Service, tmp_path: Path, endings: list[str], planted: Callable[[], Any]) -> None:
    with planted():
        if planted is nullcontext:
            worked_off(service, tmp_path, endings)
            return
        with pytest.raises(AssertionError):
            worked_off(service, tmp_path, endings, seconds=4)


@pytest.mark.parametrize("planted", [nullcontext, nobody_takes_over], ids=["14", "14 planted: nobody takes over"])
def test_an_inspector_that_nobody_replaces(service: Service, tmp_path: Path, planted: Callable[[], Any]) -> None:
    """The controller is gone, and with it who would replace an inspector: another one takes over what it held."""
    (gone,) = simulate(tmp_path / "gone", 1, patterns=("Ring",), defects=(50, 100), seed=5).files
    service.send(gone)
    with service.database.write() as session:
        assert lease.claim(session, "an inspector that dies", HASTY) is not None
    model = LocalClassifier(load_bundle(service.store.resolve("champion").folder))
    place = Workplace(service.database, service.spool, "another", HASTY)
    end = time.monotonic() + 6 * LEASE_S
    with planted():
        while time.monotonic() < end and service.states() != {JobState.DONE: 1}:
            work_once(place, lambda *_, **__: model)
            time.sleep(0.05)
    if planted is nullcontext:
        check_service(service, [gone])
        return
    with pytest.raises(AssertionError):
        check_service(service, [gone])


@pytest.mark.usefixtures("fake_parts")
@pytest.mark.parametrize("planted", [False, True], ids=["15", "15 planted: what ended stays ended"])
def test_a_part_whose_head_was_killed(tmp_path: Path, *, planted: bool) -> None:
    blind = mock.patch.object(Supervisor, "_revive", return_value=None) if planted else nullcontext()
    service = Supervisor([Part("serve", (SLEEPER,))], tmp_path, {})
    with blind:
        thread = threading.Thread(target=service.run, args=(0.05,))
        thread.start()
        try:
            assert eventually(lambda: "serve" in service.pids(), 10)
            first = service.pids()["serve"]
            service._running["serve"].process.kill()
            came_back = eventually(lambda: service.pids()["serve"] != first, 4)
        finally:
            service.stop()
            thread.join(15)
    assert came_back is not planted


@pytest.mark.parametrize("planted", [False, True], ids=["16", "16 planted: everybody is let in"])
def test_more_uploads_than_the_queue_takes(service: Service, tmp_path: Path, *, planted: bool) -> None:
    metrics = Metrics(CollectorRegistry())
    accept = accepting(Foundation(service.settings, service.database, service.spool), metrics)
    app = create_app(service.settings, service.database, accept=accept, opener=None, metrics=metrics)  # type: ignore[arg-type]
    files = simulate(tmp_path / "wafers", 12, patterns=("Ring",), defects=(50, 100)).files
    answers: Counter[str] = Counter()
    blind = mock.patch.object(Backpressure, "_check", return_value=None) if planted else nullcontext()
    with blind, served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        for path in files:
            answer = client.post("/api/v1/captures", files={"file": (path.name, path.read_bytes())})
            answers[f"{answer.status_code}{' later' if 'Retry-After' in answer.headers else ''}"] += 1
            time.sleep(0.15)  # the queue is looked at once a second
    assert set(answers) <= {"202", "503 later"}
    assert (answers["503 later"] > 0) is not planted
