"""Drawing in the frame: exact counts of inspected places, strokes by length and strength."""

import numpy as np
import pytest

from pipelines.simulate.dies import whole_wafer
from pipelines.simulate.frame import Frame, Points
from pipelines.simulate.shapes import Strokes, disc, segment, smooth_strengths


def frame(*, partial: bool = True) -> Frame:
    return Frame(whole_wafer(300_000, (12_000.0, 9_000.0), partial_dies=partial))


@pytest.mark.parametrize("n", [0, 1, 7, 5_000])
def test_fill_gives_exactly_so_many_inspected_places(n: int) -> None:
    rng = np.random.default_rng(1)
    places = frame().fill(n, lambda m: 3 * disc(rng, m))
    assert places.shape == (2, n)
    assert frame().sees(places).all()


def test_fill_gives_up_on_a_drawing_that_misses_the_wafer() -> None:
    def beside(m: int) -> Points:
        return np.full((2, m), 5.0)

    with pytest.raises(RuntimeError, match="0 of 3"):
        frame().fill(3, beside)


def test_rim_is_nearer_where_only_whole_dies_are_inspected() -> None:
    assert frame().rim() == pytest.approx(frame().reach, abs=0.01)
    assert 0.85 < frame(partial=False).rim() < frame().reach - 0.01


def test_strokes_spread_by_length_and_strength() -> None:
    rng = np.random.default_rng(2)
    short, long = segment((-1, -0.5), (-0.5, -0.5)), segment((-0.75, 0.5), (0.75, 0.5))
    places = Strokes([short, long], thickness=0.001).draw(rng, 20_000)
    assert (places[1] > 0).mean() == pytest.approx(0.75, abs=0.02)
    assert np.abs(np.abs(places[1]) - 0.5).max() < 0.01
    doubled = Strokes([short, long], 0.001, [np.full(24, 3.0), np.ones(24)]).draw(rng, 20_000)
    assert (doubled[1] > 0).mean() == pytest.approx(0.5, abs=0.02)


def test_strengths_without_contrast_are_equal_and_else_change_gently() -> None:
    rng = np.random.default_rng(3)
    assert (smooth_strengths(rng, 40, 0.0) == 1).all()
    strengths = np.log(smooth_strengths(rng, 400, 0.5))
    assert len(strengths) == 400
    assert np.abs(np.diff(strengths)).mean() < 0.5 * strengths.std()
