"""Nearest vectors: exact where it is cheap, and nearly all of them found where there are too many."""

import numpy as np
import pytest

from models.nearest import PROBED, Vectors


def cloud(count: int, seed: int = 0) -> np.ndarray:
    """Vectors in bunches, as embeddings of classes are."""
    rng = np.random.default_rng(seed)
    bunches = rng.normal(size=(20, 16))
    return (bunches[rng.integers(0, 20, count)] + 0.5 * rng.normal(size=(count, 16))).astype(np.float32)


def test_exact_search_is_exact() -> None:
    known, asked = cloud(500), cloud(1, seed=9)[0]
    rows, found = Vectors(known).nearest(asked, 7)
    cosine = known @ asked / np.linalg.norm(known, axis=1) / np.linalg.norm(asked)
    np.testing.assert_array_equal(rows, np.argsort(-cosine)[:7])
    np.testing.assert_allclose(found, np.sqrt(2 - 2 * np.sort(cosine)[::-1][:7]), rtol=1e-4)


def test_the_index_finds_nearly_all_and_looks_at_few() -> None:
    known, asked = cloud(20_000), cloud(50, seed=9)
    exact, index = Vectors(known), Vectors(known, exact_up_to=1000)
    assert exact.cells is None
    assert index.cells is not None
    shared = [len(np.intersect1d(exact.nearest(one, 10)[0], index.nearest(one, 10)[0])) for one in asked]
    looked_at = np.mean([len(index.cells.near(one / np.linalg.norm(one))) for one in asked]) / len(known)
    assert np.mean(shared) >= 9.5  # the bunches asked for are others than the known ones
    assert looked_at < 1.2 * PROBED


def test_every_vector_is_filed_once() -> None:
    cells = Vectors(cloud(3000), exact_up_to=10).cells
    assert cells is not None
    np.testing.assert_array_equal(np.sort(cells.rows), np.arange(3000))


@pytest.mark.parametrize("exact_up_to", [1, 10])
def test_fewer_than_asked_for(exact_up_to: int) -> None:
    rows, found = Vectors(np.eye(3, dtype=np.float32), exact_up_to=exact_up_to).nearest(np.ones(3, np.float32), 5)
    assert len(rows) == len(found) <= 3
