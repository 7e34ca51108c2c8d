"""Several scores in one: conformal p-values, continued beyond the known, combined by Fisher's method (Fisher, 1932).

The p-values of one window depend on each other, so the sum follows no chi-squared law; it is a score like any other and
is calibrated again by whoever sets the threshold.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.conformal import tail_p_values
from models.open_set.score import NoveltyScore, Seen


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """Scores and what they give for known windows.

    Attributes:
        names: of the scores, for their arrays.
        scores: at least two.
        calibration: (S, n), each score of held-out known windows.
    """

    names: tuple[str, ...]
    scores: tuple[NoveltyScore, ...]
    calibration: Tensor

    def score(self, seen: Seen) -> Tensor:
        """- 2 Σ log p."""
        # one number per window and score: the trip to the CPU is cheap and keeps one definition of a p-value
        total = sum(
            (
                torch.from_numpy(tail_p_values(score.score(seen).cpu().numpy(), known.numpy())).log()
                for score, known in zip(self.scores, self.calibration, strict=True)
            ),
            torch.zeros(len(seen.embeddings), dtype=torch.float64),
        )
        return (-2 * total).to(seen.embeddings)

    def arrays(self) -> dict[str, Tensor]:
        """See `NoveltyScore`."""
        arrays = {"fusion.calibration": self.calibration}
        for name, score in zip(self.names, self.scores, strict=True):
            arrays |= {f"{name}.{key}": array for key, array in score.arrays().items()}
        return arrays

    def to(self, device: torch.device) -> Self:
        """See `NoveltyScore`."""
        return type(self)(self.names, tuple(score.to(device) for score in self.scores), self.calibration)
