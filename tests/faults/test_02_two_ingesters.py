"""Row 2: two processes take in one folder; each file becomes one capture."""

import pytest

from tests.faults.plant import Plant, check_invariant
from tests.faults.processes import run_part, running, take_in

pytestmark = pytest.mark.faults


def two_ingesters(plant: Plant, mutant: str | None = None) -> set[str]:
    """What is in the files that both took in, and that was worked on then."""
    texts = {f"{number % 4} 0 {'0 ' * number}".strip() for number in range(40)}
    for number, text in enumerate(sorted(texts)):
        plant.put(f"{number}.001", text)
        plant.put(f"copy of {number}.001", text)
    with running(take_in, plant, mutant) as first, running(take_in, plant, mutant) as second:
        first.join(180)
        second.join(180)
        assert (first.exitcode, second.exitcode) == (0, 0)
    for part in ("ingest", "work", "relay"):
        assert run_part(plant, part) == 0
    return texts


def test_two_ingesters_one_folder(plant: Plant) -> None:
    check_invariant(plant, two_ingesters(plant))


def test_arrivals_that_are_not_looked_up_are_seen(plant: Plant) -> None:
    texts = two_ingesters(plant, "every_wish_is_new")
    with pytest.raises(AssertionError, match="jobs for"):
        check_invariant(plant, texts)
