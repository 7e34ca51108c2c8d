"""The model in this very process, as the inspection flow sees it."""

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.classifier import Classifier
from models.dense import DenseClassifier
from models.domain.scenes import Patches
from models.domain.verdict import Predictions
from models.manifest import BundleManifest


class LocalClassifier:
    """A `PatchClassifier` without replicas: for the command line, backfills and tests."""

    def __init__(self, bundle: Bundle, device: str | None = None) -> None:
        """Make the bundle ready on a torch device; None = CUDA if there is one."""
        self._classifier = Classifier(bundle, device)
        self._dense = DenseClassifier(self._classifier) if bundle.manifest.recipe.tiling.dense else None

    @property
    def manifest(self) -> BundleManifest:
        """Of the bundle that predicts."""
        return self._classifier.manifest

    def classify(self, patches: Patches) -> Predictions:
        """Predict patches."""
        return self._classifier.predict(patches)

    def classify_block(self, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict all windows of a block, uint8 (H, W, C)."""
        assert self._dense is not None, "the recipe asks for no blocks"
        return self._dense.predict(pixels)
