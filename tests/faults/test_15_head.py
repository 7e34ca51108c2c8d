"""Row 15: the head of the Ray cluster is killed; the supervisor starts the part again, and the queue drains."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipelines.simulate import simulate
from services.supervisor import Part, Supervisor
from services.up import environment_of, prepare_home
from tests.faults.service_invariant import check_service
from tests.services.conftest import (
    MakeBundle,
    make_bundle,  # noqa: F401 - a fixture
)
from tests.services.serving.service import Service
from tests.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.cluster, pytest.mark.xdist_group("ray"), pytest.mark.timeout(500)]


def test_a_killed_head_is_started_again_and_no_wafer_is_lost(
    tmp_path: Path,
    make_bundle: MakeBundle,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    service = Service(tmp_path / "home", make_bundle)
    prepare_home(service.settings)
    service.release(1)
    files = list(simulate(tmp_path / "wafers", 6, patterns=("Ring",), defects=(50, 100)).files)
    supervisor = Supervisor([Part("serve", ("serve",), stop_s=30)], tmp_path / "logs", environment_of(service.settings))
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        service.send(files[0])
        assert service.all_done(1, 180), (tmp_path / "logs" / "serve.log").read_text()[-2000:]
        for path in files[1:3]:
            service.send(path)
        part = supervisor.pids()["serve"]
        head = next(p for p in psutil.Process(part).children(recursive=True) if p.name().startswith("gcs_server"))
        os.kill(head.pid, signal.SIGKILL)
        killed = time.monotonic()
        for path in files[3:]:
            service.send(path)
        assert eventually(lambda: supervisor.pids()["serve"] != part, 120), "the part ends when its head is gone"
        assert service.all_done(len(files), 180)
        print(f"all done {time.monotonic() - killed:.0f} s after the head was killed")
    finally:
        supervisor.stop()
        thread.join(60)
    check_service(service, files)
