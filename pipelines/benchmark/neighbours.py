"""Nearest neighbours as baselines: what mere likeness to the training patches is worth, in pixels and in embeddings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from pipelines.benchmark.contest import Role
from pipelines.dataset.loading import load_patches
from pipelines.dataset.patches import PatchSet
from pipelines.evaluation.answers import Answers

_SIDE = 32
"""Pixels a side that are compared: finer ones only tell one lot's noise from another's, and cost sixteen times."""


@dataclass(frozen=True, slots=True)
class PixelNeighbours:
    """The most frequent label among the nearest training patches, by Euclidean distance of pixels.

    Attributes:
        tile: side of the patches before they are made smaller.
        channels: of the patches.
        k: neighbours asked; an odd number, as two sides may tie.
    """

    tile: int
    channels: int
    k: int = 5

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.k} nearest in pixels"

    @property
    def role(self) -> Role:
        """A baseline."""
        return Role.BASELINE

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:  # noqa: ARG002 - the Protocol's signature
        """Compare each test patch with all training patches."""
        patches = load_patches(data_dir, tile=self.tile, channels=self.channels, splits=("train", "test"))
        patches = patches.only(patches.known)
        train, test = patches.split("train"), patches.split("test")
        return by_neighbours(small(train), small(test), train, test, self.k)


def by_neighbours(
    seen: NDArray[np.float32], asked: NDArray[np.float32], train: PatchSet, test: PatchSet, k: int
) -> Answers:
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


def small(patches: PatchSet) -> NDArray[np.float32]:
    """Pixels as vectors (N, D): means over blocks, so that each side has at most 32; what was inspected is left out."""
    pixels = patches.pixels[..., :1] if patches.pixels.shape[3] == 2 else patches.pixels
    n, side, _, channels = pixels.shape
    block = -(-side // _SIDE)
    whole = side // block * block
    cells = pixels[:, :whole, :whole].reshape(n, whole // block, block, whole // block, block, channels)
    return np.asarray(cells.mean((2, 4), dtype=np.float32).reshape(n, -1))
