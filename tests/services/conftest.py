"""Small real bundles: an untrained network with everything a bundle needs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.bundle import save_bundle
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.manifest import BundleManifest, Thresholds
from models.recipe import NetworkRecipe, OpenSetRecipe, Recipe, TilingRecipe
from models.reference import Calibration, Reference, Yardstick
from pipelines.simulate import simulate

MakeBundle = Callable[..., BundleManifest]


@pytest.fixture(scope="session")
def make_bundle() -> MakeBundle:
    """Write a bundle into a folder; another seed makes another bundle."""

    def make(folder: Path, seed: int = 0, levels: tuple[int, ...] = (0,)) -> BundleManifest:
        import torch

        from models.network import build_network, weights_of

        torch.manual_seed(seed)
        recipe = Recipe(
            name="tiny",
            tiling=TilingRecipe(tile=16, levels=levels),
            network=NetworkRecipe(widths=(4, 8), convolutions=1, embedding=8),
            open_set=OpenSetRecipe(scores=("max_probability",)),  # needs no fitting
        )
        network = build_network(recipe, classes=3).eval()
        manifest = BundleManifest(
            ref=BundleRef("tiny", "0", ""),
            recipe=recipe,
            labels=Labels(("none", "ring", "scratch"), normal="none"),
            temperature=1.0,
            thresholds=Thresholds(confidence=0.0, novelty=float("inf")),
            data_fingerprint="0" * 64,
        )
        calibration = Calibration(
            truth=np.array([0, 0, 1, 2]),
            predicted=np.array([0, 0, 1, 1]),
            confidence=np.array([0.9, 0.8, 0.7, 0.4], np.float32),
            novelty=np.array([0.1, 0.2, 0.3, 0.6], np.float32),
        )
        reference = Reference(
            embeddings=np.eye(8, dtype=np.float32),
            labels=np.arange(8) % 3,
            groups=("lot",) * 8,
            ids=tuple("abcdefgh"),
            calibration=calibration,
            yardstick=Yardstick.of(calibration),
            pictures=np.full((8, 16, 16, 2), 90, np.uint8),
        )
        return save_bundle(folder, manifest, weights_of(network), reference)

    return make


@pytest.fixture(scope="session")
def wafers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    truth = simulate(tmp_path_factory.mktemp("wafers"), 4, patterns=("Ring", "Normal"), defects=(100, 500))
    return list(truth.files)
