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
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.processes import running
from tests.services.inspection.faking import ArrayReader, fake_open

pytestmark = pytest.mark.faults

TRIES = 5
QUICK = LeasePolicy(lease_s=0.2, max_attempts=TRIES)
POISON = "0 0 0"
OTHERS = {f"1 {'0 ' * number}0 2" for number in range(5)}


def open_or_crash(path: Path, **options: object) -> Iterator[ArrayReader]:
    """A decoder with a bug that takes the process with it."""
    if path.read_text() == POISON:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # nobody wants to read it
        os.abort()
    return fake_open(path, **options)


def work_with_the_bug(plant: Plant, mutant: str | None) -> None:
    with mutants.planted(mutant):
        machine = Machine(plant)
        trying.open_captures = open_or_crash  # type: ignore[assignment]
        machine.work()


def crash(plant: Plant, mutant: str | None = None) -> int:
    """Work until the poison is dead, or two workers found nothing to do; how many workers crashed."""
    plant.put("0 poison.001", POISON)
    for number, text in enumerate(sorted(OTHERS)):
        plant.put(f"{number + 1}.001", text)
    with closing(Machine(plant)) as machine:
        machine.ingest()
    crashes = idle = 0
    while idle < 2:
        with running(work_with_the_bug, plant, mutant) as worker:
            worker.join(120)
            crashes += worker.exitcode != 0
        idle = 0 if worker.exitcode else idle + 1
        with closing(Database(plant.url)) as database, database.read() as session:
            if queries.health(session).jobs[JobState.DEAD]:
                break
        time.sleep(plant.policy.lease_s)  # before that nobody may try again
    with closing(Machine(plant)) as machine:
        machine.relay()
    return crashes


def test_poison_dies_and_the_others_live(plant: Plant) -> None:
    plant = replace(plant, policy=QUICK)
    crashes = crash(plant)
    with closing(Database(plant.url)) as database, database.read() as session:
        done = queries.jobs(session, states=[JobState.DONE]).items
        (dead,) = queries.quarantine(session).items
        alerts = {alert.pattern: alert.count for alert in queries.alerts(session).items}
    assert crashes == TRIES
    assert len(done) == 5
    assert (dead.file_name, dead.error_code) == ("0 poison.001", "worker-silent")
    assert alerts == {"Scratch": 5, "Ring": 5, "worker-silent": 1}
    check_invariant(plant, OTHERS, dead=frozenset({POISON}))


def test_a_job_that_nobody_gives_up_is_seen(sqlite_plant: Plant) -> None:
    plant = replace(sqlite_plant, policy=QUICK)
    assert crash(plant, "nobody_buries") == TRIES
    with pytest.raises(AssertionError, match="RUNNING"):
        check_invariant(plant, OTHERS, dead=frozenset({POISON}))
