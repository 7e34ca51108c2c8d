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
from models.domain.errors import ConfigurationError
from models.domain.scenes import Patches
from models.domain.verdict import Predictions
from models.pace import tune
from services.serving.batching import MicroBatcher, Rank
from services.serving.bundle_store import BundleStore
from services.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

RESIDENT_BUNDLES = 6
"""Of several products, each with the one before it while jobs still carry it, and a challenger."""
LOOK_S = 2.0
"""Between two looks at the routes: a bundle that was released is loaded before its first wafer comes, as a rule."""


class ClassifierReplica:
    """Predicts with whichever installed bundle a call names, loading it on first use.

    A new bundle loads, tests and tunes itself in a thread while the others go on, so a release interrupts nobody.
    """

    def __init__(self, bundle_folder: str, threads: int = 1) -> None:
        """Load what the routes mean now, before the first call is let in.

        Args:
            bundle_folder: of the `BundleStore`.
            threads: of torch on a CPU.
        """
        import torch  # noqa: PLC0415 - the driver builds the application graph without torch

        torch.set_num_threads(threads)
        self._store = BundleStore(Path(bundle_folder))
        self._one_block = asyncio.Lock()
        self._batcher = MicroBatcher(
            slots=2 if torch.cuda.is_available() else 1, on_batch=Metrics().batch_patches.observe
        )
        self._resident: OrderedDict[str, asyncio.Future[Classifier]] = OrderedDict()
        self._following: asyncio.Task[None] | None = None
        self._warm = {digest: _load(self._store.folder_of(digest)) for digest in self._store.on_routes()}

    async def classify(
        self, digest: str, patches: Patches, timeout_s: float = float("inf"), *, is_shadow: bool = False
    ) -> Predictions:
        """Predict patches with the bundle of this digest.

        Args:
            digest: of the bundle.
            patches: at least one.
            timeout_s: how long the caller waits; what is not begun by then is not computed.
            is_shadow: a challenger's look: everything else goes first.

        Raises:
            RetryableError: too many patches wait already, or the time is up.
            ConfigurationError: the bundle is not installed or damaged, or the patches do not fit it.
        """
        classifier = await self._bundle(digest)
        rank = Rank.SHADOW if is_shadow else Rank.NORMAL
        return await self._batcher.submit(classifier, patches, rank=rank, timeout_s=timeout_s)

    async def classify_block(self, digest: str, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict all windows of a block, uint8 (H, W, C), with the bundle of this digest.

        Raises:
            ConfigurationError: the bundle is not installed or damaged, or the block does not fit it.
        """
        classifier = await self._bundle(digest)
        async with self._one_block:  # a block fills the device, and its features a hundred megabytes
            return await asyncio.to_thread(DenseClassifier(classifier).predict, pixels)

    async def _bundle(self, digest: str) -> Classifier:
        """The bundle, loaded by the first who asks; whoever asks for another one does not wait for it."""
        self._follow()
        if digest not in self._resident:
            self._resident[digest] = asyncio.ensure_future(asyncio.to_thread(_load, self._store.folder_of(digest)))
            while len(self._resident) > RESIDENT_BUNDLES:
                self._resident.popitem(last=False)
        self._resident.move_to_end(digest)
        loading = self._resident[digest]
        try:
            return await asyncio.shield(loading)
        except Exception:
            if self._resident.get(digest) is loading:
                del self._resident[digest]  # another try may find it mended
            raise

    def _follow(self) -> None:
        """Take over what was loaded at the start, and keep looking at the routes; needs the event loop."""
        for digest, classifier in self._warm.items():
            self._resident[digest] = asyncio.get_running_loop().create_future()
            self._resident[digest].set_result(classifier)
        self._warm = {}
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            for digest in await asyncio.to_thread(self._store.on_routes):
                if digest not in self._resident:
                    try:
                        await self._bundle(digest)
                    except ConfigurationError as error:
                        _log.warning("bundle %s is on a route and cannot be loaded: %s", digest[:12], error)
            await asyncio.sleep(LOOK_S)

    async def check_health(self) -> None:
        """Run each model on one blank patch, so that a replica that only looks alive is replaced (Ray's hook)."""
        self._follow()
        for loading in list(self._resident.values()):
            if loading.done() and not loading.cancelled() and loading.exception() is None:
                classifier = loading.result()
                await self._batcher.submit(classifier, _blank(classifier), rank=Rank.PROBE)


def _load(folder: Path) -> Classifier:
    classifier = Classifier(load_bundle(folder))  # tests itself
    rate = tune(classifier)
    _log.info(
        "bundle %s ready on %s: %.0f patches/s in batches of %d",
        folder.name[:12],
        classifier.device,
        rate,
        classifier.batch,
    )
    return classifier


def _blank(classifier: Classifier) -> NDArray[np.uint8]:
    recipe = classifier.manifest.recipe
    return np.zeros((1, recipe.tiling.tile, recipe.tiling.tile, recipe.channels), np.uint8)
