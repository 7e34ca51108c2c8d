"""Row 1: SIGKILL at every point of taking in, inspecting and sending."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from services.jobs import LeasePolicy
from tests.faults.plant import Plant, check_invariant
from tests.faults.processes import run_part

pytestmark = pytest.mark.faults

QUICK = LeasePolicy(lease_s=0.05, max_attempts=50, backoff_s=0.01, backoff_limit_s=1)
PARTS = ("ingest", "work", "relay")
MUST_PASS = {
    "ingest": {"before fsync", "before rename", "after rename", "before commit", "after commit", "before unlink"},
    "work": {"classify", "before commit", "after commit"},
    "relay": {"before sending", "after sending", "before commit", "after commit"},
}


def kill_everywhere(plant: Plant, part: str, log: Path, mutant: str | None = None) -> tuple[set[str], list[str]]:
    """A new wafer for each point: the process is killed there, then everything is started again.

    Returns:
        What is in the files, and where the processes died.
    """
    texts: set[str] = set()
    killed: list[str] = []
    for kill_at in range(100):
        text = f"0\nT{kill_at}@1"
        plant.put(f"{kill_at}.001", text)
        texts.add(text)
        for earlier in PARTS[: PARTS.index(part)]:
            assert run_part(plant, earlier) == 0
        code = run_part(plant, part, kill_at, log, mutant)
        time.sleep(plant.policy.lease_s)  # before that nobody may go on with what it held
        assert run_part(plant, part) == 0
        if code == 0:
            break
        assert code == -9
        killed.append(log.read_text().splitlines()[-1])
    else:
        pytest.fail("it never came to its end")
    for every in PARTS:
        assert run_part(plant, every) == 0
    return texts, killed


@pytest.mark.parametrize("part", PARTS)
def test_killed_anywhere_and_started_again_nothing_is_lost_or_doubled(plant: Plant, part: str, tmp_path: Path) -> None:
    plant = replace(plant, policy=QUICK)
    texts, killed = kill_everywhere(plant, part, tmp_path / "log")
    assert set(killed) >= MUST_PASS[part]
    check_invariant(plant, texts, most_repeats=len(killed) - killed.index("after sending") if part == "relay" else 0)


@pytest.mark.parametrize(
    ("part", "mutant"),
    [("ingest", "source_removed_first"), ("work", "alert_outside_transaction"), ("relay", "marked_before_sent")],
)
def test_steps_that_are_not_safe_against_it_are_seen(
    sqlite_plant: Plant, part: str, mutant: str, tmp_path: Path
) -> None:
    plant = replace(sqlite_plant, policy=replace(QUICK, lease_s=1))  # no lease ends between the steps
    texts, killed = kill_everywhere(plant, part, tmp_path / "log", mutant)
    with pytest.raises(AssertionError):
        check_invariant(plant, texts, most_repeats=len(killed))
