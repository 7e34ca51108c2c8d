"""Nearest neighbours as baselines: what mere likeness to the training patches is worth, in pixels and in embeddings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from models.bundle import load_bundle
from models.classifier import Classifier
from pipelines.benchmark.contest import Role
from pipelines.benchmark.trained import Trained
from pipelines.dataset.loading import load_patches
from pipelines.dataset.patches import PatchSet
from pipelines.evaluation.answers import Answers
from pipelines.evaluation.judging import embeddings_of

Floats = NDArray[np.float32]

_SIDE = 32
"""Pixels a side that are compared: finer ones only tell one lot's noise from another's, and cost sixteen times."""


@dataclass(frozen=True, slots=True)
class PixelNeighbours:
    """The most frequent label among the nearest training patches, by Euclidean distance of pixels.

    Attributes:
        tile: side of the patches before they are made smaller.
        channels: of the patches.
        k: neighbours asked.
    """

    tile: int
    channels: int
    k: int = 5

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.k} nearest, pixels"

    @property
    def role(self) -> Role:
        """A baseline."""
        return Role.BASELINE

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:  # noqa: ARG002 - the Protocol's signature
        """Compare each test patch with all training patches."""
        train, test = _sides(data_dir, self.tile, self.channels)
        return by_neighbours(_vectors(train), _vectors(test), train, test, self.k)


@dataclass(frozen=True, slots=True)
class EmbeddingNeighbours:
    """The most frequent label among the nearest training patches, by cosine of a trained network's embeddings.

    Attributes:
        of: the recipe whose network embeds; the fold's bundle is trained if it is not there yet.
        k: neighbours asked.
    """

    of: Trained
    k: int = 5

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.k} nearest, embeddings"

    @property
    def role(self) -> Role:
        """A baseline: the same features without the trained head."""
        return Role.BASELINE

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:
        """Compare each test patch with all training patches."""
        classifier = Classifier(load_bundle(self.of.bundle(data_dir, work_dir)))
        train, test = _sides(data_dir, self.of.recipe.tiling.tile, self.of.recipe.channels)
        return by_neighbours(
            embeddings_of(classifier, train.pixels), embeddings_of(classifier, test.pixels), train, test, self.k
        )


def by_neighbours(seen: Floats, asked: Floats, train: PatchSet, test: PatchSet, k: int) -> Answers:
    """Answers by the majority of the k nearest; each class by itself where several may lie on one patch.

    Args:
        seen: (N, D), training vectors.
        asked: (M, D), test vectors.
        train: N patches.
        test: M patches.
        k: neighbours.
    """
    model = KNeighborsClassifier(n_neighbors=min(k, len(train)), algorithm="brute")
    if train.labels.exclusive:
        model.fit(seen, train.index)
        stated = np.eye(len(train.labels.names), dtype=np.uint8)[model.predict(asked)]
    else:
        model.fit(seen, train.targets)
        stated = np.asarray(model.predict(asked), dtype=np.uint8)
    return Answers.unrefused(test.labels, test.groups, test.targets, stated)


def reduced(pixels: NDArray[np.generic]) -> Floats:
    """Means over square blocks, so that each side has at most 32 pixels: (N, S, S, C) → float32 (N, s, s, C)."""
    n, side, _, channels = pixels.shape
    block = -(-side // _SIDE)
    cells = side // block
    whole = pixels[:, : cells * block, : cells * block].reshape(n, cells, block, cells, block, channels)
    return np.asarray(whole.mean((2, 4), dtype=np.float32))


def _sides(data_dir: Path, tile: int, channels: int) -> tuple[PatchSet, PatchSet]:
    patches = load_patches(data_dir, tile=tile, channels=channels, splits=("train", "test"))
    patches = patches.only(patches.known)
    return patches.split("train"), patches.split("test")


def _vectors(patches: PatchSet) -> Floats:
    """Reduced pixels (N, D); of a wafer its defects alone, for what was inspected names the product."""
    pixels = patches.pixels[..., :1] if patches.pixels.shape[3] == 2 else patches.pixels
    return reduced(pixels).reshape(len(patches), -1)
