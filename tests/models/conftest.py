"""Small bundles for the tests of the learned model."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import Bundle, BundleManifest, Thresholds, save_bundle
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.recipe import NetworkRecipe, Recipe, TilingRecipe
from models.reference import Reference

# tiny networks gain nothing from threads, and test processes that run side by side take them from each other
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def recipe() -> Recipe:
    """The smallest recipe that has everything."""
    return Recipe(
        name="tiny",
        tiling=TilingRecipe(tile=32),
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
        pictures=np.arange(5 * 4 * 4 * 2, dtype=np.uint8).reshape(5, 4, 4, 2),
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


@pytest.fixture
def make_bundle(recipe: Recipe, manifest: BundleManifest) -> Callable[..., Bundle]:
    """Bundles in memory with seeded weights and some noise in their running statistics, as after training."""

    def make(
        labels: Labels | None = None, temperature: float = 1.0, view_cutoff: float | None = None, **changes: Any
    ) -> Bundle:
        import torch

        from models.network import build_network, weights_of

        content = recipe.model_dump() | {"open_set": {"scores": ["neighbours"]}} | changes
        changed = Recipe.parse(content, "test")
        known = labels or manifest.labels
        generator = np.random.default_rng(4)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            network = build_network(changed, len(known.names))
            for module in network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    torch.nn.init.normal_(module.running_mean, 0.0, 0.3)
                    torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.normal_(network.head.weight, 0.0, 5.0)
        embeddings = generator.normal(size=(9, network.head.in_features)).astype(np.float32)
        return Bundle(
            manifest=replace(
                manifest,
                recipe=changed,
                labels=known,
                temperature=temperature,
                view_cutoff=view_cutoff,
                thresholds=Thresholds(0.4, 1.0),
            ),
            weights=weights_of(network),
            reference=Reference(
                embeddings=embeddings,
                labels=np.arange(9) % 3,
                groups=("lot",) * 9,
                ids=tuple("abcdefghi"),
                novelty={"examples": embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)},
            ),
        )

    return make
