"""The background is a mixture of point processes, each recognisable."""

import numpy as np
import pytest

from pipelines.simulate.background import BackgroundMix, background
from pipelines.simulate.dies import whole_wafer
from pipelines.simulate.frame import Frame, Points

FRAME = Frame(whole_wafer(300_000, (10_000.0, 10_000.0)))


def mix(edge: float = 0.0, clustered: float = 0.0, repeated: float = 0.0) -> BackgroundMix:
    return BackgroundMix(edge, clustered, repeated, steepness=6.0, cluster_size=4.0, cluster_sigma=0.001)


def draw(n: int, of: BackgroundMix) -> Points:
    return background(np.random.default_rng(0), n, FRAME, of)


def close_pairs(places: Points, within: float) -> float:
    """Share of places with another one so near."""
    apart = np.hypot(*(places[:, :, None] - places[:, None, :]))
    np.fill_diagonal(apart, 9.0)
    return float((apart.min(axis=1) < within).mean())


@pytest.mark.parametrize("n", [0, 1, 59, 60, 61, 1_000])
def test_counts_are_exact(n: int) -> None:
    places = draw(n, mix(0.25, 0.3, 0.08))
    assert places.shape == (2, n)
    assert FRAME.sees(places).all()


def test_edge_share_lies_further_out() -> None:
    even, steep = (np.hypot(*draw(4_000, mix(edge=edge))) for edge in (0.0, 1.0))
    assert (even < 0.7).mean() == pytest.approx(0.5 / 0.96, abs=0.03)
    assert (steep < 0.7).mean() < 0.1


def test_clustered_share_has_near_neighbours_and_few_defects_stay_random() -> None:
    assert close_pairs(draw(600, mix()), 0.004) < 0.05
    assert close_pairs(draw(600, mix(clustered=1.0)), 0.004) > 0.8
    assert close_pairs(draw(59, mix(clustered=1.0)), 0.004) < 0.2


def test_repeaters_lie_at_the_same_place_of_their_dies() -> None:
    places = draw(70, mix(repeated=1.0))  # one site
    in_die = (places - np.array(FRAME.die_zero)[:, None]) / np.array(FRAME.pitch)[:, None]
    rest, dies = in_die - np.floor(in_die), np.floor(in_die)
    assert np.ptp(rest, axis=1).max() < 0.01
    assert len(np.unique(dies, axis=1).T) > 2
    assert np.ptp(dies, axis=1).max() < 5


def test_mixtures_differ_but_stay_mostly_uniform() -> None:
    drawn = [BackgroundMix.draw(np.random.default_rng(seed)) for seed in range(100)]
    assert max(m.edge + m.clustered + m.repeated for m in drawn) < 0.65
    assert len({m.edge for m in drawn}) == 100
    assert 0 < sum(m.repeated > 0 for m in drawn) < 60
