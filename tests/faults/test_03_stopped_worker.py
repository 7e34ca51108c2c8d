"""Row 3: a worker is stopped, loses its lease, and is continued: one result, one alert, and it says what happened."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from services.jobs import LeasePolicy
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.processes import run_part, running

pytestmark = pytest.mark.faults


def work_slowly(plant: Plant, started: Path, report: Path, *, fenced: bool) -> None:
    """One job, with a pause in the middle of which the world is told."""

    def around(point: str) -> None:
        if point == "classify":
            started.touch()
            time.sleep(0.2)

    machine = Machine(plant, around)
    if fenced:
        report.write_text(str(machine.work_one()))
    else:
        with mutants.no_fence():
            report.write_text(str(machine.work_one()))


def stop_and_continue(plant: Plant, folder: Path, *, fenced: bool) -> str:
    """The story; returns what the stopped worker says of its job in the end."""
    plant = replace(plant, policy=LeasePolicy(lease_s=0.5, max_attempts=50))
    plant.put("lot7.001", "1 2")
    assert run_part(plant, "ingest") == 0
    started, report = folder / "started", folder / "report"
    with running(work_slowly, plant, started, report, fenced=fenced) as worker:
        wait_for(started.exists)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(0.7)
        if fenced:
            assert run_part(plant, "work") == 0
        else:
            claim_and_die(plant)
        os.kill(worker.pid, signal.SIGCONT)
        worker.join(120)
        assert worker.exitcode == 0
    assert run_part(plant, "work") == 0
    assert run_part(plant, "relay") == 0
    return report.read_text()


def claim_and_die(plant: Plant) -> None:
    """Somebody else has the job, and is not done when the first one wakes up."""
    assert run_part(plant, "work", kill_at=1) == -9


def wait_for(happened: object, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_worker_stopped_past_its_lease_changes_nothing_when_it_wakes(plant: Plant, tmp_path: Path) -> None:
    said = stop_and_continue(plant, tmp_path, fenced=True)
    assert "state=None" in said, "it must know that the lease is lost"
    check_invariant(plant, {"1 2"})


def test_without_a_fence_it_would_be_seen(plant: Plant, tmp_path: Path) -> None:
    said = stop_and_continue(plant, tmp_path, fenced=False)
    assert "state=None" not in said
    with pytest.raises(AssertionError, match="finished by who held it"):
        check_invariant(plant, {"1 2"})
