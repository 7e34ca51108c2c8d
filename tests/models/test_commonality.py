"""What affected wafers share: found where it is, and not where chance rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, fisher_exact

from models.commonality import Wafer, adjust, commonalities


def plant(rng: np.random.Generator, lots: int, *, blame: str | None = None, base: float = 0.05) -> list[Wafer]:
    """Lots of 25 on one of six tools at one of three steps; wafers of the blamed tool fail ten times as often."""
    wafers = []
    for lot in range(lots):
        tool, step = f"T{rng.integers(6)}", f"S{rng.integers(3)}"
        share = 10 * base if tool == blame else base
        for slot in range(1, 26):
            factors = {"lot": f"L{lot}", "tool": tool, "step": step, "slot": f"{slot:02d}"}
            wafers.append(Wafer(bool(rng.random() < share), factors))
    return wafers


def test_the_tool_that_does_it_is_found_and_comes_first_of_its_kind() -> None:
    rng = np.random.default_rng(1)
    wafers = plant(rng, 80, blame="T3", base=0.01)
    found = [one for one in commonalities(wafers) if one.factor != "lot"]
    assert (found[0].factor, found[0].value, found[0].unit) == ("tool", "T3", "lot")
    assert found[0].q < 0.01


def test_a_slot_is_counted_in_wafers() -> None:
    wafers = [
        Wafer(slot == 7 and lot % 2 == 0, {"lot": f"L{lot}", "slot": f"{slot}", "tool": "T1"})
        for lot in range(30)
        for slot in range(1, 26)
    ]
    (found,) = commonalities(wafers)
    assert (found.factor, found.value, found.affected_with, found.others_with) == ("slot", "7", 15, 15)


def test_one_bad_lot_is_the_lot_and_not_its_tool() -> None:
    """All wafers of one lot fail: counted in wafers, its tool would look guilty with p < 1e-10."""
    wafers = [
        Wafer(lot == 0, {"lot": f"L{lot}", "tool": f"T{lot % 4}", "slot": f"{slot}"})
        for lot in range(20)
        for slot in range(25)
    ]
    found = commonalities(wafers)
    assert {one.factor for one in found} == {"lot"}
    assert found[0].value == "L0"


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_calibrated_under_the_null(share: float) -> None:
    """Nothing is to blame: any finding is a false one, so a table may hold some in at most 5 % of all cases."""
    rng = np.random.default_rng(2)
    false = sum(bool(commonalities(plant(rng, 40, base=share))) for _ in range(300))
    assert false <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=40))
def test_adjusting_is_what_scipy_does(p: list[float]) -> None:
    np.testing.assert_allclose(adjust(np.array(p)), false_discovery_control(p), rtol=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), min_size=4, max_size=60))
def test_p_is_fishers(rows: list[tuple[bool, str]]) -> None:
    wafers = [Wafer(affected, {"slot": value}) for affected, value in rows]
    for one in commonalities(wafers, level=1.0):
        table = [[one.affected_with, one.affected - one.affected_with], [one.others_with, one.others - one.others_with]]
        assert one.p == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=40), st.randoms())
def test_order_does_not_matter(rows: list[tuple[bool, str]], random: object) -> None:
    wafers = [Wafer(affected, {"slot": value, "lot": value}) for affected, value in rows]
    mixed = list(wafers)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert commonalities(wafers, level=1.0) == commonalities(mixed, level=1.0)
