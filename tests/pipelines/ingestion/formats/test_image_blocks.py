"""Which rectangles are decoded: each window has its pixels, and no row of a sequential file is decoded twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.errors import InputError
from models.domain.tiling import Level, Tiling, Window, windows
from pipelines.ingestion.formats.image_blocks import CHUNK_BYTES, Area, Block, scale_of, steps


@st.composite
def cases(draw: st.DrawFn) -> tuple[Level, Tiling]:
    tile = draw(st.integers(1, 20))
    tiling = Tiling(tile, draw(st.integers(0, tile - 1)))
    return Level(0, draw(st.integers(1, 70)), draw(st.integers(1, 70))), tiling


@settings(max_examples=100, deadline=None)
@given(cases())
def test_rows_of_a_sequential_file_are_decoded_once_and_in_order(case: tuple[Level, Tiling]) -> None:
    level, tiling = case
    planned = list(windows(level, tiling))
    decoded, seen = 0, []
    before: Area | None = None
    for step in steps(iter(planned), 3, sequential=True):
        if step.fresh is not None:
            assert (step.fresh.left, step.fresh.right) == (0, level.width)
            assert step.fresh.top == decoded
            decoded = step.fresh.bottom
        if step.fresh != step.area:
            assert before is not None
            assert before.top <= step.area.top < before.bottom
        assert all(step.area.holds(Area.of(window)) for window in step.windows)
        seen += step.windows
        before = step.area
    assert decoded == level.height
    assert seen == planned


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(1, 4))
def test_chunks_of_a_tiled_file_hold_their_windows(case: tuple[Level, Tiling], bands: int) -> None:
    level, tiling = case
    planned = list(windows(level, tiling))
    seen = []
    for step in steps(iter(planned), bands, sequential=False):
        assert step.fresh == step.area
        assert all(step.area.holds(Area.of(window)) for window in step.windows)
        seen += step.windows
    assert seen == planned


def test_chunks_are_bounded() -> None:
    level = Level(0, 512, 512 * 1000)
    for step in steps(windows(level, Tiling(512)), 3, sequential=False):
        rows, columns = step.area.shape
        assert rows * columns * 3 <= CHUNK_BYTES + 512 * 512 * 3


def test_blocks_join_and_keep_what_is_valid() -> None:
    level = Level(0, 4, 3)
    upper = Block(Area(level, 0, 0, 3, 3), np.arange(9, dtype=np.uint8).reshape(3, 3, 1), None)
    lower = Block(Area(level, 3, 0, 4, 3), np.full((1, 3, 1), 9, np.uint8), np.zeros((1, 3), np.float32))
    joined = upper.below(2).followed_by(lower)
    assert joined.area == Area(level, 2, 0, 4, 3)
    patch = joined.patch(Window(level, 2, 1, 4, 4))
    assert patch.pixels[:2, :2, 0].tolist() == [[7, 8], [9, 9]]
    assert not patch.pixels[2:].any()
    assert patch.inspected == pytest.approx(2 / 16)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 6))
def test_the_scale_follows_from_the_level(height: int, width: int, halvings: int) -> None:
    level = Level(0, -(-height // (1 << halvings)), -(-width // (1 << halvings)))
    scale = scale_of(level, height, width, "here")
    assert (-(-height // scale), -(-width // scale)) == (level.height, level.width)


def test_a_level_of_another_capture_is_refused() -> None:
    with pytest.raises(InputError, match="another capture"):
        scale_of(Level(0, 99, 100), 100, 100, "here")
