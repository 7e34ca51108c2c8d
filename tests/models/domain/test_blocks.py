"""Blocks hold every window of the edge rule exactly once, whatever their size."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.blocks import blocks
from models.domain.tiling import Level, Tiling, windows

TILE = 32


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(3, TILE), st.integers(TILE, 150))
def test_every_window_is_in_one_block(height: int, width: int, step: int, largest: int) -> None:
    level = Level(2, height, width)
    found = list(blocks(level, TILE, step, largest))
    held = Counter(window for block in found for window in block.windows())
    assert held == Counter(windows(level, Tiling(TILE, overlap=TILE - step)))
    assert [len(list(block.windows())) for block in found] == [len(block) for block in found]


@settings(deadline=None)
@given(st.integers(TILE, 300), st.integers(TILE, 300), st.integers(1, TILE), st.integers(TILE, 150))
def test_a_block_is_no_larger_than_asked_and_lies_on_the_steps(
    height: int, width: int, step: int, largest: int
) -> None:
    for block in blocks(Level(2, height, width), TILE, step, largest):
        window = block.window
        assert min(window.height, window.width) >= TILE
        assert max(window.height, window.width) <= largest
        assert (window.height - TILE) % step == (window.width - TILE) % step == 0
        assert (window.bottom, window.right) <= (height, width)
