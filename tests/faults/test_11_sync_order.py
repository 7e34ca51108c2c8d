"""Row 11: the order in which things reach the disk, as the kernel saw it (needs strace).

Killing processes does not show what a power cut does. What can be shown is that every step asks for its sync before the
next one begins: file, name, row, and only then the source goes.
"""

import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.plant import Machine, Plant, check_invariant

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

SCRIPT = """
import sys
from pathlib import Path
from tests.faults import mutants
from tests.faults.plant import Machine, Plant
with mutants.planted(sys.argv[3] if len(sys.argv) > 3 else None):
    machine = Machine(Plant(sys.argv[1], Path(sys.argv[2])))
    machine.ingest()
    machine.close()
"""
CALLS = "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"


def steps(plant: Plant, log: Path, *mutant: str) -> list[str]:
    """What the taking in of one file asked of the kernel, in words."""
    plant.put("lot7.001", "1 2")
    command = ["strace", "-f", "-y", "-o", log, "-e", CALLS, sys.executable, "-c", SCRIPT, plant.url, plant.folder]
    done = subprocess.run([*command, *mutant], check=False, capture_output=True, text=True, timeout=120)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine does not allow ptrace")
    assert done.returncode == 0, done.stderr
    found = []
    for line in log.read_text().splitlines():
        for pattern, word in (
            (r"f(data)?sync\(\d+<.*/spool/tmp\.\w+>", "sync file"),
            (r"rename\w*\(.*/spool/tmp\.\w+\".*/spool/[0-9a-f]{64}\"", "rename"),
            (r"f(data)?sync\(\d+<.*/spool>", "sync folder"),
            (r"f(data)?sync\(\d+<.*\.db(-wal)?>", "sync database"),
            (r"unlink\w*\(.*/watch/lot7\.001\"", "remove source"),
        ):
            if re.search(pattern, line):
                found.append(word)
    return found


def in_order(found: list[str]) -> bool:
    """Whether the steps come in this order, the first of each, and the database is synced between the last two."""
    if "remove source" not in found:
        return False
    removed = found.index("remove source")
    wanted = ("sync file", "rename", "sync folder")
    if any(word not in found for word in wanted):
        return False
    places = [found.index(word) for word in wanted]
    return places == sorted(places) and "sync database" in found[places[-1] + 1 : removed]


def test_every_step_is_synced_before_the_next(sqlite_plant: Plant, tmp_path: Path) -> None:
    found = steps(sqlite_plant, tmp_path / "strace")
    assert in_order(found), found
    with closing(Machine(sqlite_plant)) as machine:
        machine.work()
        machine.relay()
    check_invariant(sqlite_plant, {"1 2"})


def test_a_source_that_goes_too_early_is_seen(sqlite_plant: Plant, tmp_path: Path) -> None:
    found = steps(sqlite_plant, tmp_path / "strace", "source_removed_first")
    assert "remove source" in found
    assert not in_order(found), found
