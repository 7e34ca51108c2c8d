"""What MLflow calls when somebody loads a registered model there: our own classifier over the bundle beside it.

The registry holds plain files and the name of this module, no pickle and no code. Inspection itself never goes this
way; it fetches the bundle and verifies it (`pipelines.release.fetch_released`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.decision import decide
from models.domain.tiling import Level, Window


class ReleasedModel:
    """Patches in, labels out; `None` = unknown."""

    def __init__(self, directory: str) -> None:
        """Load and verify the bundle.

        Raises:
            ConfigurationError: a file is missing or was changed.
        """
        self.classifier = Classifier(load_bundle(directory), "cpu")

    def predict(self, patches: NDArray[np.uint8], params: Any = None) -> list[str | None]:  # noqa: ARG002
        """Label each patch of uint8 (N, tile, tile, channels)."""
        manifest = self.classifier.manifest
        tile = manifest.recipe.tiling.tile
        window = Window(Level(0, tile, tile), 0, 0, tile, tile)
        predictions = self.classifier.predict(np.asarray(patches, dtype=np.uint8))
        return [decide(window, one, manifest.labels, manifest.thresholds).label for one in predictions]


def _load_pyfunc(directory: str) -> ReleasedModel:
    """The name MLflow looks for in a loader module."""
    return ReleasedModel(directory)
