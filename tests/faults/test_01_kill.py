"""Row 1: SIGKILL at every point of taking in, inspecting and sending."""

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


@pytest.mark.parametrize("part", PARTS)
def test_killed_anywhere_and_started_again_nothing_is_lost_or_doubled(plant: Plant, part: str, tmp_path: Path) -> None:
    """A new wafer for each point: the process is killed there, then everything is started again."""
    plant = replace(plant, policy=QUICK)
    texts: set[str] = set()
    killed: list[str] = []
    for kill_at in range(100):
        text = f"T{kill_at}@1\n0"
        plant.put(f"{kill_at}.001", text)
        texts.add(text)
        for earlier in PARTS[: PARTS.index(part)]:
            assert run_part(plant, earlier) == 0
        code = run_part(plant, part, kill_at, tmp_path / "log")
        assert run_part(plant, part) == 0
        if code == 0:
            break
        assert code == -9
        killed.append((tmp_path / "log").read_text().splitlines()[-1])
    else:
        pytest.fail("it never came to its end")
    for every in PARTS:
        assert run_part(plant, every) == 0
    assert set(killed) >= MUST_PASS[part]
    check_invariant(plant, texts, most_repeats=len(killed) - killed.index("after sending") if part == "relay" else 0)
