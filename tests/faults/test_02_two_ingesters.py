"""Row 2: two processes take in one folder; each file becomes one capture."""

import pytest

from tests.faults.plant import Plant, check_invariant
from tests.faults.processes import run_part, running, take_in

pytestmark = pytest.mark.faults


def test_two_ingesters_one_folder(plant: Plant) -> None:
    texts = {f"{number % 4} 0 {'0 ' * number}".strip() for number in range(40)}
    for number, text in enumerate(sorted(texts)):
        plant.put(f"{number}.001", text)
        plant.put(f"copy of {number}.001", text)
    with running(take_in, plant) as first, running(take_in, plant) as second:
        first.join(180)
        second.join(180)
        assert (first.exitcode, second.exitcode) == (0, 0)
    for part in ("ingest", "work", "relay"):
        assert run_part(plant, part) == 0
    check_invariant(plant, texts)
