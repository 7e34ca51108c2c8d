"""The classifier deployment: holds bundles on one device and predicts patches; it knows no database and no wafer."""

import asyncio
import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.dense import DenseClassifier
from models.domain.verdict import Predictions
from services.serving.batching import MicroBatcher
from services.serving.bundle_store import BundleStore

_log = logging.getLogger(__name__)

RESIDENT_BUNDLES = 3
"""The champion, the one before it while jobs still carry it, and a challenger."""


class ClassifierReplica:
    """Predicts with whichever installed bundle a call names, loading it on first use.

    A new bundle loads and tests itself beside the others, in a thread, so a release interrupts nobody.
    """

    def __init__(self, bundle_folder: str, threads: int = 1, batch_patches: int = 256) -> None:
        """Start empty or warm.

        Args:
            bundle_folder: of the `BundleStore`.
            threads: of torch on a CPU.
            batch_patches: most patches in one batch.
        """
        import torch  # noqa: PLC0415 - the driver builds the application graph without torch

        torch.set_num_threads(threads)
        self._store = BundleStore(Path(bundle_folder))
        self._batch_patches = batch_patches
        self._resident: OrderedDict[str, tuple[Classifier, MicroBatcher]] = OrderedDict()
        self._loading = asyncio.Lock()
        self._one_block = asyncio.Lock()

    async def classify(self, digest: str, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict uint8 (N, H, W, C) patches with the bundle of this digest.

        Raises:
            RetryableError: too many patches wait already.
            ConfigurationError: the bundle is not installed or damaged, or the patches do not fit it.
        """
        _, batcher = await self._bundle(digest)
        return await batcher.submit(pixels)

    async def classify_block(self, digest: str, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict all windows of a block, uint8 (H, W, C), with the bundle of this digest.

        Raises:
            ConfigurationError: the bundle is not installed or damaged, or the block does not fit it.
        """
        classifier, _ = await self._bundle(digest)
        async with self._one_block:  # a block fills the device, and its features a hundred megabytes
            return await asyncio.to_thread(DenseClassifier(classifier).predict, pixels)

    async def _bundle(self, digest: str) -> tuple[Classifier, MicroBatcher]:
        async with self._loading:
            if digest not in self._resident:
                classifier = await asyncio.to_thread(_load, self._store.folder_of(digest))
                self._resident[digest] = (
                    classifier,
                    MicroBatcher(classifier.predict, batch_patches=self._batch_patches),
                )
                if len(self._resident) > RESIDENT_BUNDLES:
                    _, (_, oldest) = self._resident.popitem(last=False)
                    oldest.close()
            self._resident.move_to_end(digest)
            return self._resident[digest]

    async def check_health(self) -> None:
        """Run the model on one blank patch, so that a replica that only looks alive is replaced (Ray's hook)."""
        for classifier, batcher in list(self._resident.values()):
            await batcher.submit(_blank(classifier))


def _load(folder: Path) -> Classifier:
    classifier = Classifier(load_bundle(folder))  # tests itself
    _log.info("bundle %s ready on %s", folder.name[:12], classifier.device)
    return classifier


def _blank(classifier: Classifier) -> NDArray[np.uint8]:
    recipe = classifier.manifest.recipe
    return np.zeros((1, recipe.tiling.tile, recipe.tiling.tile, recipe.channels), np.uint8)
