"""The sequential test: it keeps its promise of few false rollbacks, sees a jump soon, and is blind to the process."""

import numpy as np
import pytest

from services.routing.guarding import Tally, Trial, Trouble, evidence, jump, upper_limit

ALPHA = 0.05


def tally(captures: int, unknown: int, novel: int = 0, failed: int = 0) -> Tally:
    return Tally(captures, {Trouble.UNKNOWN: unknown, Trouble.NOVEL: novel, Trouble.FAILED: failed})


def first_jump(rng: np.random.Generator, rates: tuple[float, float], share: float, captures: int, every: int) -> int:
    """After how many captures a canary is taken back when one looks at it again and again; -1 = never."""
    is_new = rng.random(captures) < share
    is_bad = rng.random(captures) < np.where(is_new, rates[1], rates[0])
    new, old = np.cumsum(is_new & is_bad), np.cumsum(~is_new & is_bad)
    totals = np.cumsum(is_new)
    for at in range(every - 1, captures, every):
        trial = Trial(tally(int(totals[at]), int(new[at])), tally(int(at + 1 - totals[at]), int(old[at])), share)
        if jump([trial], ALPHA) is not None:
            return at + 1
    return -1


@pytest.mark.parametrize(("rate", "share"), [(0.02, 0.05), (0.2, 0.5)])
def test_an_equal_bundle_is_rarely_taken_back_however_often_one_looks(rate: float, share: float) -> None:
    rng = np.random.default_rng(7)
    ends = [first_jump(rng, (rate, rate), share, 4000, 20) for _ in range(300)]
    assert sum(end > 0 for end in ends) / len(ends) <= ALPHA


def test_a_better_bundle_even_more_rarely() -> None:
    rng = np.random.default_rng(8)
    assert all(first_jump(rng, (0.1, 0.05), 0.2, 4000, 20) < 0 for _ in range(100))


def test_a_jump_is_seen_soon() -> None:
    rng = np.random.default_rng(9)
    ends = [first_jump(rng, (0.02, 0.2), 0.1, 4000, 10) for _ in range(100)]
    assert min(ends) > 0, "a tenfold rate of unknowns must never stay unseen"
    assert np.median(ends) < 500  # fifty captures of the canary, ten of them unknown


def test_three_failures_are_enough_where_the_champion_has_none() -> None:
    def found(failed: int) -> bool:
        return jump([Trial(tally(20, 0, failed=failed), tally(400, 0), 0.05)], 0.01) is not None

    assert not found(1)
    assert found(5)


def test_a_process_that_goes_wrong_is_not_held_against_the_bundle() -> None:
    """Both arms see ten times as many strange wafers: their split stays as it was."""
    trial = Trial(tally(50, 20, novel=20), tally(950, 380, novel=380), 0.05)
    assert jump([trial], 0.01) is None


def test_the_past_is_taken_with_its_uncertainty() -> None:
    worse = tally(60, 12)
    assert jump([Trial(worse, tally(2000, 40))], 0.01) is not None
    assert jump([Trial(worse, tally(20, 0))], 0.01) is None, "twenty wafers say little about what is usual"
    assert jump([Trial(worse, tally(0, 0))], 0.01) is None


def test_the_past_keeps_its_promise_too() -> None:
    rng = np.random.default_rng(10)
    false = 0
    for _ in range(200):
        past = tally(500, int(rng.binomial(500, 0.05)))
        bad = np.cumsum(rng.random(1000) < 0.05)
        trials = (Trial(tally(n, int(bad[n - 1])), past) for n in range(10, 1001, 10))
        false += any(jump([trial], ALPHA) is not None for trial in trials)
    assert false / 200 <= ALPHA


def test_the_strongest_reason_is_told() -> None:
    found = jump([Trial(tally(100, 50, novel=10), tally(900, 20, novel=5), 0.1)], 0.01)
    assert found is not None
    assert found.trouble is Trouble.UNKNOWN
    assert "50 of 100 captures unknown, 20 of 900" in str(found)


def test_numbers_at_the_edges() -> None:
    assert evidence(Trial(tally(5, 5), tally(0, 0), 1.0), Trouble.UNKNOWN, 0.01) == pytest.approx(1.0)
    assert evidence(Trial(tally(10**6, 10**6), tally(10**6, 0), 0.5), Trouble.UNKNOWN, 0.01) > 1e100
    assert upper_limit(5, 5, 0.01) == 1.0
    assert upper_limit(0, 100, 0.05) == pytest.approx(1 - 0.05 ** (1 / 100))
