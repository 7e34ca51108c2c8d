"""Coarse levels, fed piece by piece, are the means of blocks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.decoding.raster import to_bytes
from pipelines.decoding.reduction import Reduction


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    scale=st.sampled_from([2, 4, 8, 16]),
    tall=st.integers(1, 13),
    wide=st.integers(1, 13),
    masked=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_pieces_of_any_size_give_the_means(
    height: int, width: int, scale: int, tall: int, wide: int, masked: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (2, height, width), dtype=np.uint8)
    valid = rng.random((height, width)) < 0.7 if masked else np.ones((height, width), bool)
    top, left = (height // 2) // scale * scale, (width // 3) // scale * scale
    reduction = Reduction(2, (top, left, height, width), scale)
    for row in range(top, height, tall):
        for column in range(left, width, wide):
            place = np.s_[row : min(row + tall, height), column : min(column + wide, width)]
            reduction.add(pixels[:, *place], valid[place] if masked else None, row, column)
    means, share = reduction.result()
    for i in range(means.shape[1]):
        for j in range(means.shape[2]):
            block = np.s_[top + i * scale : top + (i + 1) * scale, left + j * scale : left + (j + 1) * scale]
            shown = pixels[:, *block][:, valid[block]]
            np.testing.assert_allclose(share[i, j], valid[block].mean(), rtol=1e-6)
            expected = np.floor(shown.mean(axis=1) + 0.5) if shown.size else np.zeros(2)
            np.testing.assert_array_equal(means[:, i, j], expected)


def test_values_are_scaled_and_clipped() -> None:
    for dtype in (np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.float64):
        values = np.array([0, 10, 15, 20, 100], dtype)
        assert to_bytes(values, 10, 20).tolist() == [0, 0, 128, 255, 255]
    assert to_bytes(np.array([np.nan, -np.inf, np.inf], np.float32), 0, 1).tolist() == [0, 0, 255]
    assert to_bytes(np.array([-5, 5], np.int8), -10, 10).tolist() == [64, 191]
