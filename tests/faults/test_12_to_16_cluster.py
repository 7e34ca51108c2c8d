"""Rows 12, 13, 14 and 16 on one shared Ray: replicas killed and stopped, the controller killed, more than it can do."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client import CollectorRegistry

from pipelines.simulate import simulate
from services.api.app import create_app
from services.parts.api import accepting
from services.parts.shared import Foundation
from services.telemetry.metrics import Metrics
from tests.faults.service_invariant import check_service
from tests.services.conftest import (
    MakeBundle,
    make_bundle,  # noqa: F401 - a fixture
)
from tests.services.serving.service import Service, ray_for_tests, ray_pids, replica_pids
from tests.waiting import eventually
from tests.web import served

pytestmark = [
    pytest.mark.faults,
    pytest.mark.cluster,
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(400),
]

LEVELS = (0, 1, 2, 3, 4)
"""341 windows of a wafer: two batches, so that a replica dies with a request under way."""


class Line:
    """A service on Ray, and wafers nobody has sent yet."""

    def __init__(self, service: Service, folder: Path, start_s: float) -> None:
        self.service = service
        self.patience_s = max(30.0, start_s)
        """A replica is back within 30 s; on a machine so busy that the first start took longer, within as long."""
        self.fresh = iter(simulate(folder, 400, patterns=("Ring",), defects=(50, 100)).files)
        self.sent: list[Path] = []

    def send(self, count: int) -> None:
        """That many new wafers, by the back door."""
        for _ in range(count):
            self.sent.append(next(self.fresh))
            self.service.send(self.sent[-1])

    def is_done(self, seconds: float) -> bool:
        return self.service.all_done(len(self.sent), seconds)

    def is_judging(self) -> bool:
        return any(state.value == "running" for state in self.service.states())

    def check(self) -> None:
        check_service(self.service, self.sent)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, make_bundle: MakeBundle) -> Iterator[Line]:  # noqa: F811
    service = Service(
        tmp_path_factory.mktemp("service"),
        make_bundle,
        classifier_replicas=2,
        classifier_cpus=0.2,
        inspector_cpus=0.2,
        classify_timeout_s=15,
        queue_limit=20,
    )
    service.release(1, LEVELS)
    began = time.monotonic()
    with ray_for_tests(service.settings):
        made = Line(service, tmp_path_factory.mktemp("wafers"), time.monotonic() - began)
        made.send(1)
        assert made.is_done(120)
        yield made


@pytest.mark.parametrize("deployment", ["classifier", "inspector"])
def test_12_a_killed_replica_loses_no_wafer_and_is_replaced(line: Line, deployment: str) -> None:
    before = set(replica_pids(deployment))
    line.send(8)
    assert eventually(line.is_judging, 20)
    os.kill(min(before), signal.SIGKILL)
    assert eventually(lambda: len(set(replica_pids(deployment)) - {min(before)}) == len(before), line.patience_s)
    assert line.is_done(90)
    line.check()


def test_13_a_stopped_replica_is_replaced_and_its_requests_are_answered_elsewhere(line: Line) -> None:
    stopped = min(replica_pids("classifier"))
    line.send(8)
    assert eventually(line.is_judging, 20)
    os.kill(stopped, signal.SIGSTOP)
    try:
        assert eventually(lambda: stopped not in replica_pids("classifier"), 60)
    finally:
        if psutil.pid_exists(stopped):
            os.kill(stopped, signal.SIGCONT)
    assert line.is_done(120)
    line.check()


def test_14_without_a_controller_work_goes_on_and_it_comes_back(line: Line) -> None:
    (controller,) = ray_pids("ray::ServeController")
    os.kill(controller, signal.SIGKILL)
    line.send(4)
    assert line.is_done(60), "inspectors and classifiers need no controller"
    assert eventually(lambda: ray_pids("ray::ServeController") not in ([], [controller]), 2 * line.patience_s)
    victim = min(replica_pids("inspector"))
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: replica_pids("inspector") not in ([], [victim]), 2 * line.patience_s), "it controls again"
    line.send(2)
    assert line.is_done(60)
    line.check()


def test_16_more_than_it_can_do_is_refused_with_a_time_to_come_again(line: Line) -> None:
    service = line.service
    foundation = Foundation(service.settings, service.database, service.spool)
    metrics = Metrics(CollectorRegistry())
    app = create_app(
        service.settings,
        service.database,
        accept=accepting(foundation, metrics),
        opener=None,  # type: ignore[arg-type]
        metrics=metrics,
    )
    answers: Counter[str] = Counter()
    lock = threading.Lock()
    end = time.monotonic() + 15

    def flood(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while time.monotonic() < end:
                with lock:
                    path = next(line.fresh, None)
                if path is None:
                    return
                answer = client.post("/api/v1/captures", files={"file": (path.name, path.read_bytes())})
                told = " with Retry-After" if "Retry-After" in answer.headers else ""
                with lock:
                    answers[f"{answer.status_code}{told}"] += 1
                    if answer.status_code == 202:
                        line.sent.append(path)

    memory = [resident()]
    with served(app) as url:
        clients = [threading.Thread(target=flood, args=(url,)) for _ in range(6)]
        for client in clients:
            client.start()
        while any(client.is_alive() for client in clients):
            time.sleep(1)
            memory.append(resident())
        assert httpx.get(f"{url}/api/v1/inspections").status_code == 200
    assert set(answers) <= {"202", "503 with Retry-After", "429 with Retry-After"}, answers
    assert answers["503 with Retry-After"] > 0, "more was offered than the queue takes"
    assert max(memory) < 1.5 * memory[0] + 200 * 2**20, memory
    assert line.is_done(180), service.states()
    line.check()


def resident() -> int:
    """Bytes of all processes of this test and its Ray that they share with nobody."""
    total = 0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total
