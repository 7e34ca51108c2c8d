"""Row 18: files still being written, truncated, or renamed in the middle are taken in whole or not at all."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from services.records.session import Database
from services.records.tables import SourceFileRow
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.processes import run_part

pytestmark = pytest.mark.faults

PIECES = ["1 ", "0 " * 20, "2 ", "0 " * 20, "0"]
WHOLE = "".join(PIECES)


@pytest.fixture
def machine(plant: Plant) -> Iterator[Machine]:
    machine = Machine(plant)
    yield machine
    machine.close()


def write_in_pieces(path: Path, pause_s: float) -> None:
    """As tools do: until the last piece there is an end mark that says more comes."""
    done = ""
    for piece in PIECES:
        done += piece
        path.write_text(done if done == WHOLE else done + "...")
        threading.Event().wait(pause_s)


def taken(plant: Plant) -> set[str]:
    with closing(Database(plant.url)) as database, database.read() as session:
        return set(session.scalars(select(SourceFileRow.sha256)))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def watch_while(machine: Machine, writer: threading.Thread) -> None:
    """Look as fast as we can while the file is written, then until it is taken."""
    watcher = machine.watcher()
    writer.start()
    while writer.is_alive():
        watcher.look()
    for _ in range(3):
        watcher.look()


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.3])
def test_a_file_written_in_pieces_is_taken_once_and_whole(machine: Machine, pause_s: float) -> None:
    path = machine.plant.watch / "lot7.001"
    watch_while(machine, threading.Thread(target=write_in_pieces, args=(path, pause_s)))
    assert taken(machine.plant) == {sha(WHOLE)}
    machine.work()
    machine.relay()
    check_invariant(machine.plant, {WHOLE})


def test_taken_at_first_sight_it_would_be_in_parts(machine: Machine) -> None:
    path = machine.plant.watch / "lot7.001"
    with mutants.taken_at_first_sight():
        watch_while(machine, threading.Thread(target=write_in_pieces, args=(path, 0.2)))
    assert taken(machine.plant) != {sha(WHOLE)}


def test_a_file_renamed_while_it_is_copied_is_taken_under_its_new_name(machine: Machine) -> None:
    machine.plant.put("lot7.001", WHOLE)
    watcher = machine.watcher()
    watcher.look()
    real, renamed = watcher._check, machine.plant.watch / "lot8.001"

    def rename_meanwhile(path: Path) -> None:
        real(path)
        if not renamed.exists():
            path.rename(renamed)

    watcher._check = rename_meanwhile
    assert watcher.look().taken == 0
    assert taken(machine.plant) == set()
    watcher._check = real
    for _ in range(2):
        watcher.look()
    assert run_part(machine.plant, "work") == 0
    assert run_part(machine.plant, "relay") == 0
    check_invariant(machine.plant, {WHOLE})


def test_a_file_truncated_between_two_looks_waits(machine: Machine) -> None:
    machine.plant.put("lot7.001", WHOLE)
    watcher = machine.watcher()
    watcher.look()
    (machine.plant.watch / "lot7.001").write_text(WHOLE[:7] + "...")
    for _ in range(3):
        watcher.look()
    assert taken(machine.plant) == set()
    assert (machine.plant.watch / "lot7.001").exists()
