"""The supervisor restarts what dies and leaves nothing behind."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from services import supervisor
from services.supervisor import Part, Supervisor
from tests.waiting import eventually

SLEEPER = "import time, sys; print('hello', flush=True); time.sleep(60)"
STUBBORN = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def fake_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts run a Python snippet instead of the command line."""
    real = supervisor.subprocess.Popen

    def popen(command: list[str], **options: object) -> object:
        return real([sys.executable, "-c", command[3]], **options)

    monkeypatch.setattr(supervisor.subprocess, "Popen", popen)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("fake_parts")
def test_a_killed_part_comes_back_and_all_end_on_stop(tmp_path: Path) -> None:
    service = Supervisor([Part("a", (SLEEPER,)), Part("b", (SLEEPER,))], tmp_path, {})
    thread = threading.Thread(target=service.run, args=(0.05,))
    thread.start()
    assert eventually(lambda: set(service.pids()) == {"a", "b"})
    first = dict(service.pids())
    os.kill(first["a"], signal.SIGKILL)
    assert eventually(lambda: service.pids()["a"] != first["a"])
    assert service.pids()["b"] == first["b"]
    last = dict(service.pids())
    service.stop()
    thread.join(15)
    assert not any(alive(pid) for pid in last.values())
    assert "hello" in (tmp_path / "b.log").read_text()


@pytest.mark.usefixtures("fake_parts")
def test_a_part_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    service = Supervisor([Part("stubborn", (STUBBORN,), stop_s=0.3)], tmp_path, {})
    thread = threading.Thread(target=service.run, args=(0.05,))
    thread.start()
    log = tmp_path / "stubborn.log"
    assert eventually(lambda: log.exists() and "up" in log.read_text())
    pid = service.pids()["stubborn"]
    service.stop()
    thread.join(15)
    assert not alive(pid)
