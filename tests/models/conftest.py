"""Small bundles for the tests of the learned model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import BundleManifest, Thresholds, save_bundle
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.recipe import NetworkRecipe, Recipe
from models.reference import Reference


@pytest.fixture
def recipe() -> Recipe:
    """The smallest recipe that has everything."""
    return Recipe(
        name="tiny",
        network=NetworkRecipe(widths=(4, 8), convolutions=1, embedding=6),
    )


@pytest.fixture
def manifest(recipe: Recipe) -> BundleManifest:
    """An unsigned manifest of three classes."""
    return BundleManifest(
        ref=BundleRef("tiny", "0", ""),
        recipe=recipe,
        labels=Labels(("Donut", "Ring", "none"), normal="none"),
        temperature=1.5,
        thresholds=Thresholds(0.4, float("inf"), {"Ring": 2.5}),
        data_fingerprint="f" * 64,
        metrics={"macro_f1": 0.5},
    )


@pytest.fixture
def reference() -> Reference:
    """Five examples in six dimensions."""
    return Reference(
        embeddings=np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32),
        labels=np.array([0, 1, 2, 0, 1]),
        groups=("lot 1", "lot 1", "lot 2", "Los Ü", ""),
        ids=tuple("abcde"),
        novelty={"neighbours.train": np.ones((2, 3), np.float32)},
    )


@pytest.fixture
def weights() -> Mapping[str, NDArray[np.generic]]:
    """Any arrays: the bundle does not interpret them."""
    return {"layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T, "layer.bias": np.zeros(2, np.float32)}


@pytest.fixture
def bundle_dir(
    tmp_path: Path,
    manifest: BundleManifest,
    weights: Mapping[str, NDArray[np.generic]],
    reference: Reference,
) -> Path:
    """A saved bundle."""
    save_bundle(tmp_path / "bundle", manifest, weights, reference, card="# tiny")
    return tmp_path / "bundle"
