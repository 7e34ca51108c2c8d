"""Small real bundles: an untrained network with everything a bundle needs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import save_bundle
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.manifest import BundleManifest, Thresholds
from models.recipe import NetworkRecipe, OpenSetRecipe, Recipe, TilingRecipe
from models.reference import Calibration, Reference, Yardstick

CALIBRATION = Calibration(
    truth=np.array([0, 0, 1, 2]),
    predicted=np.array([0, 0, 1, 1]),
    confidence=np.array([0.9, 0.8, 0.7, 0.4], np.float32),
    novelty=np.array([0.1, 0.2, 0.3, 0.6], np.float32),
)


def tiny_bundle(
    folder: Path,
    seed: int = 0,
    levels: tuple[int, ...] = (0,),
    *,
    labels: Labels | None = None,
    tile: int = 16,
    thresholds: Thresholds | None = None,
    calibration: Calibration = CALIBRATION,
    examples: Mapping[str, NDArray[np.uint8]] | None = None,
) -> BundleManifest:
    """Write a bundle into a folder; another seed makes another bundle.

    `examples` are pictures (tile, tile, 2) of known patches by their label, eight at most; all grey if left out.
    """
    import torch

    from models.network import build_network, weights_of

    torch.manual_seed(seed)
    labels = labels or Labels(("none", "ring", "scratch"), normal="none")
    recipe = Recipe(
        name="tiny",
        tiling=TilingRecipe(tile=tile, levels=levels),
        network=NetworkRecipe(widths=(4, 8), convolutions=1, embedding=8),
        open_set=OpenSetRecipe(scores=("max_probability",)),  # needs no fitting
    )
    network = build_network(recipe, classes=len(labels.names)).eval()
    manifest = BundleManifest(
        ref=BundleRef("tiny", "0", ""),
        recipe=recipe,
        labels=labels,
        temperature=1.0,
        thresholds=thresholds or Thresholds(confidence=0.0, novelty=float("inf")),
        data_fingerprint="0" * 64,
    )
    pictures, known = np.full((8, tile, tile, 2), 90, np.uint8), np.arange(8) % 3
    for row, (name, picture) in enumerate((examples or {}).items()):
        pictures[row], known[row] = picture, labels.names.index(name)
    reference = Reference(
        embeddings=np.eye(8, dtype=np.float32),
        labels=known,
        groups=("lot",) * 8,
        ids=tuple("abcdefgh"),
        calibration=calibration,
        yardstick=Yardstick.of(calibration),
        pictures=pictures,
    )
    return save_bundle(folder, manifest, weights_of(network), reference)
