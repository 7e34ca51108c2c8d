"""Row 21: a file that crashes its reader five times is dead and raises an alert; the others are inspected."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from services.inspection import trying
from services.jobs import LeasePolicy
from services.records import queries
from services.records.session import Database
from services.records.tables import JobState
from tests.faults.plant import Machine, Plant
from tests.faults.processes import running
from tests.services.inspection.faking import ArrayReader, fake_open

pytestmark = pytest.mark.faults

TRIES = 5


def open_or_crash(path: Path, **options: object) -> Iterator[ArrayReader]:
    """A decoder with a bug that takes the process with it."""
    if path.read_text() == "0 0 0":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # nobody wants to read it
        os.abort()
    return fake_open(path, **options)


def work_with_the_bug(plant: Plant) -> None:
    machine = Machine(plant)
    trying.open_captures = open_or_crash  # type: ignore[assignment]
    machine.work()


def test_poison_dies_and_the_others_live(plant: Plant) -> None:
    plant = replace(plant, policy=LeasePolicy(lease_s=0.2, max_attempts=TRIES))
    plant.put("0 poison.001", "0 0 0")
    for number in range(5):
        plant.put(f"{number + 1}.001", f"1 {'0 ' * number}0 2")
    with closing(Machine(plant)) as machine:
        machine.ingest()
    crashes = 0
    for _ in range(4 * TRIES):
        with running(work_with_the_bug, plant) as worker:
            worker.join(120)
            crashes += worker.exitcode != 0
        with closing(Database(plant.url)) as database, database.read() as session:
            states = queries.health(session).jobs
        if states[JobState.DEAD]:
            break
        time.sleep(plant.policy.lease_s)  # before that nobody may try again
    with closing(Database(plant.url)) as database, database.read() as session:
        done = queries.jobs(session, states=[JobState.DONE]).items
        (dead,) = queries.quarantine(session).items
        alerts = {alert.pattern: alert.count for alert in queries.alerts(session).items}
    assert crashes == TRIES
    assert len(done) == 5
    assert (dead.file_name, dead.error_code) == ("0 poison.001", "worker-silent")
    assert alerts == {"Scratch": 5, "Ring": 5, "worker-silent": 1}
