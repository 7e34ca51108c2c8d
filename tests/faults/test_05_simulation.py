"""Row 5: a thousand histories with deaths, sleeps and clocks set both ways; every planted fault is caught."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests.faults import mutants
from tests.faults.plant import check_invariant
from tests.faults.simulation import Simulation, World

SEEDS = int(os.environ.get("WAFERWATCH_TEST_SEEDS", "1000"))
FIRST = int(os.environ.get("WAFERWATCH_TEST_FIRST_SEED", "0"))


@pytest.fixture
def world(tmp_path: Path, sqlite_template: Path) -> Iterator[World]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory)) if memory.is_dir() else tmp_path
    world = World(folder / "world", sqlite_template)
    yield world
    world.database.close()
    shutil.rmtree(folder)


def history(seed: int, world: World) -> Simulation:
    simulation = Simulation(seed, world)
    simulation.run()
    try:
        check_invariant(simulation.plant, simulation.texts, most_repeats=simulation.relays_disturbed)
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
    return simulation


def is_caught(seed: int, world: World) -> bool:
    try:
        history(seed, world)
    except (AssertionError, IntegrityError):
        return True
    return False


@pytest.mark.parametrize("fives", range(2))
def test_some_histories(fives: int, world: World) -> None:
    for seed in range(5 * fives, 5 * fives + 5):
        history(seed, world)


def test_a_seed_replays(world: World) -> None:
    first, again = history(7, world), history(7, world)
    assert first.trace == again.trace
    assert len(set(first.trace)) > 10


@pytest.mark.faults
@pytest.mark.parametrize(
    "mutant",
    [
        mutants.source_removed_first,
        mutants.alert_outside_transaction,
        mutants.no_fence,
        mutants.no_backward_clock_guard,
        mutants.marked_before_sent,
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_planted_faults_are_caught(mutant: Callable[[], AbstractContextManager[None]], world: World) -> None:
    with mutant():
        assert any(is_caught(seed, world) for seed in range(100))


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("tenth", range(10))
def test_many_histories(tenth: int, world: World) -> None:
    for seed in range(FIRST + tenth, FIRST + SEEDS, 10):
        history(seed, world)
