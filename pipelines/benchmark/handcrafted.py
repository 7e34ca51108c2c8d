"""Gradient boosting on hand-crafted features: the best one could do before networks, and still quick to train."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from pipelines.benchmark.contest import Role
from pipelines.benchmark.features import features
from pipelines.dataset.loading import load_patches
from pipelines.evaluation.answers import Answers


@dataclass(frozen=True, slots=True)
class HandCrafted:
    """Histogram gradient boosting (Ke et al., NeurIPS 2017) on `features`.

    Attributes:
        tile: side of the patches.
        channels: of the patches.
        rounds: of boosting.
        seed: of the boosting.
    """

    tile: int
    channels: int
    rounds: int = 150
    seed: int = 0

    @property
    def name(self) -> str:
        """For the table."""
        return "features, boosting"

    @property
    def role(self) -> Role:
        """A baseline."""
        return Role.BASELINE

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:  # noqa: ARG002 - the Protocol's signature
        """Learn from the training patches; each class by itself where several may lie on one patch."""
        patches = load_patches(data_dir, tile=self.tile, channels=self.channels, splits=("train", "test"))
        patches = patches.only(patches.known)
        train, test = patches.split("train"), patches.split("test")
        seen, asked = features(train), features(test)
        if train.labels.exclusive:
            index = self._learned(seen, train.index).predict(asked)
            stated = np.eye(len(train.labels.names), dtype=np.uint8)[index]
        else:
            columns = [self._learned(seen, truth).predict(asked) for truth in train.targets.T]
            stated = np.stack(columns, axis=1).astype(np.uint8)
        return Answers.unrefused(test.labels, test.groups, test.targets, stated)

    def _learned(self, seen: NDArray[np.float32], truth: NDArray[np.generic]) -> HistGradientBoostingClassifier:
        # Without early stopping: it would hold back patches at random, of lots that are trained on.
        model = HistGradientBoostingClassifier(
            max_iter=self.rounds, learning_rate=0.1, l2_regularization=1.0, early_stopping=False, random_state=self.seed
        )
        return model.fit(seen, truth)
