"""The classifier: patches in, calibrated predictions with novelty out. Everything it needs is in the bundle."""

import contextlib

import numpy as np
import torch

from models.bundle import Bundle
from models.convolutional import folded
from models.copying import Copying
from models.domain.errors import ConfigurationError, InputError
from models.domain.scenes import Patches
from models.domain.verdict import Predictions
from models.drawing import drawn
from models.network import restore_network
from models.open_set import Seen, restore
from models.preprocessing import Preprocessing
from models.traits import describe
from models.views import Looking, believe, calibrated

BATCH_CPU = 32
"""Patches at once on a CPU: their maps still nearly fit its caches; 64 are slower."""
BATCH_CUDA = 2048
"""Patches at once on a GPU; halved where they do not fit its memory."""


class Classifier:
    """A bundle made ready on a device. Several threads may call `predict` at the same time.

    Nothing changes after `__init__` but the batch size, which only ever shrinks.
    """

    def __init__(self, bundle: Bundle, device: str | torch.device | None = None) -> None:
        """Build network and novelty score, move them, and judge one empty patch as a self-test.

        Args:
            bundle: verified, see `load_bundle`.
            device: torch device; None = CUDA if there is one, else CPU.

        Raises:
            ConfigurationError: parts of the bundle do not fit each other.
        """
        self.bundle = bundle
        self.manifest = bundle.manifest
        recipe = self.manifest.recipe
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        where = f"bundle {self.manifest.ref.name}"
        network = restore_network(recipe, len(self.manifest.labels.names), bundle.weights, where)
        network.features = folded(network.features)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.preprocessing = Preprocessing(recipe.preprocessing, recipe.channels).to(self.device)
        self.novelty = restore(recipe.open_set, bundle.reference.novelty, where).to(self.device)
        self.sees_traits = "traits" in recipe.open_set.scores
        self.looking = Looking(
            views=recipe.views,
            merge=recipe.merge,
            exclusive=self.manifest.labels.exclusive,
            cutoff=self.manifest.view_cutoff if recipe.adaptive_views else None,
        )
        self.batch = BATCH_CUDA if self.device.type == "cuda" else BATCH_CPU
        self._copying = Copying(self.device)
        self._test_itself(where)

    def predict(self, patches: Patches) -> Predictions:
        """Judge patches.

        Args:
            patches: pixels, uint8 (N, H, W, C), with the recipe's tile and channels, or scenes of them; N may be 0 or
                as large as memory allows.

        Returns:
            Calibrated probabilities (N, K), embeddings (N, D) and novelty (N,), float32, in the same order.

        Raises:
            InputError: another shape or dtype.
            torch.OutOfMemoryError: not even one patch fits the device.
        """
        recipe = self.manifest.recipe
        expected = (recipe.tiling.tile, recipe.tiling.tile, recipe.channels)
        if patches.shape[1:] != expected or patches.dtype != np.uint8:
            raise InputError(
                "patches do not fit the bundle",
                where=self.manifest.ref.name,
                expected=f"uint8 (N, {', '.join(map(str, expected))})",
                got=f"{patches.dtype} {patches.shape}",
            )
        parts: list[Predictions] = []
        start = 0
        while start < len(patches):
            # re-read in every round: running out of memory shrinks it
            parts.append(self._predict_or_split(patches[start : start + self.batch]))
            start += len(parts[-1])
        return Predictions.joined(parts) if parts else self._nothing()

    def _predict_or_split(self, patches: Patches) -> Predictions:
        """Predictions of the first patches, as many as fit the device's memory; at least one."""
        while True:
            try:
                return self._predict_at_once(patches)
            except torch.OutOfMemoryError:
                if len(patches) == 1:
                    raise
            # outside the handler: the traceback would keep the tensors alive that did not fit
            half = (len(patches) + 1) // 2
            self.batch = min(self.batch, half)
            patches = patches[:half]
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def _predict_at_once(self, patches: Patches) -> Predictions:
        with self._copying.turn() as to_host:
            pixels = drawn(patches, self._copying.to_device)
            inputs = self.preprocessing(pixels)
            with self.precision():
                belief = believe(self.network, inputs, self.looking, at_once=self.batch)
            probabilities = calibrated(
                belief.probabilities, self.manifest.temperature, exclusive=self.manifest.labels.exclusive
            )
            traits = describe(pixels) if self.sees_traits else None
            novelty = self.novelty.score(Seen(belief.logits, belief.embeddings, traits))
            return Predictions(*to_host(probabilities, belief.embeddings, novelty))

    def precision(self) -> contextlib.AbstractContextManager[object]:
        """Context in which the network computes as the recipe says; calibration enters the same one."""
        wanted = self.manifest.recipe.precision
        if wanted == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, wanted))

    def _test_itself(self, where: str) -> None:
        tile, channels = self.manifest.recipe.tiling.tile, self.manifest.recipe.channels
        try:
            judged = self._predict_at_once(np.zeros((1, tile, tile, channels), np.uint8))
        except (RuntimeError, ValueError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise ConfigurationError("bundle fails its self-test", where=where, got=str(error)[:300]) from error
        if not all(np.isfinite(part).all() for part in (judged.probabilities, judged.embeddings, judged.novelty)):
            raise ConfigurationError("bundle fails its self-test", where=where, expected="finite predictions")

    def _nothing(self) -> Predictions:
        classes, dimensions = len(self.manifest.labels.names), self.network.head.in_features
        return Predictions(
            np.empty((0, classes), np.float32), np.empty((0, dimensions), np.float32), np.empty(0, np.float32)
        )
