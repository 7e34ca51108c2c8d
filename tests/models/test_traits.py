"""Traits: turned and mirrored wafers are described alike, different patterns are not, and nothing breaks them."""

import numpy as np
import pytest
import torch

from models.traits import LENGTH, describe


def wafer(pattern: str, side: int = 64, seed: int = 0) -> torch.Tensor:
    """uint8 (side, side, 2): a pattern on a background of 3 % failed pixels."""
    rng = np.random.default_rng(seed)
    line = (np.arange(side) + 0.5) * 2 / side - 1
    y, x = np.meshgrid(line, line, indexing="ij")
    radius = np.hypot(x, y)
    places = {
        "none": radius < 0,
        "ring": (radius > 0.85) & (radius < 0.95),
        "heap": np.hypot(x - 0.3, y - 0.2) < 0.25,
        "line": (np.abs(y - 0.5 * x) < 0.04) & (radius < 0.8),
        "all": radius < 2,
    }
    failed = (rng.random(radius.shape) < 0.03) | places[pattern]
    inside = radius < 1
    return torch.from_numpy(np.stack([255 * (failed & inside), 255 * inside], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("pattern", ["none", "ring", "heap", "line", "all"])
def test_turned_and_mirrored_wafers_are_described_alike(pattern: str) -> None:
    plain = wafer(pattern)
    turned = torch.stack([plain, *(torch.rot90(plain, k, (0, 1)) for k in (1, 2, 3)), plain.flip(1), plain.flip(0)])
    described = describe(turned)
    assert described.shape == (6, LENGTH)
    # of patches of the same size another one may be taken for the largest, so not all numbers are compared
    difference = (described - described[0]).abs()
    assert difference[:, :119].max() < 0.01
    if pattern != "none":
        assert difference.max() < 0.01


def test_patterns_differ_more_than_backgrounds_do() -> None:
    names = ("none", "ring", "heap", "line", "all")
    one, other = (describe(torch.stack([wafer(name, seed=seed) for name in names])) for seed in (0, 1))
    distance = torch.cdist(one, other)
    for row in range(len(names)):
        assert int(distance[row].argmin()) == row


@pytest.mark.parametrize("side", [16, 33, 64])
def test_whatever_is_inspected_has_finite_numbers(side: int) -> None:
    nothing = torch.zeros(1, side, side, 2, dtype=torch.uint8)
    full = torch.full((1, side, side, 2), 255, dtype=torch.uint8)
    single = nothing.clone()
    single[0, 3, 3] = 255
    assert torch.isfinite(describe(torch.cat([nothing, full, single]))).all()
    assert describe(nothing[:0]).shape == (0, LENGTH)


def test_a_crowd_changes_nobody() -> None:
    wafers = torch.stack([wafer("ring", seed=seed) for seed in range(300)])
    torch.testing.assert_close(describe(wafers)[270:271], describe(wafers[270:271]), rtol=1e-4, atol=1e-4)
