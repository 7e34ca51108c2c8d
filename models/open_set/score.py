"""What every novelty score can do."""

from typing import Protocol, Self

import torch
from torch import Tensor


class NoveltyScore(Protocol):
    """A fitted score: plain arrays and one function."""

    def score(self, logits: Tensor, embeddings: Tensor) -> Tensor:
        """How strange each window is.

        Args:
            logits: float32 (N, K).
            embeddings: float32 (N, D), on the device of this score.

        Returns:
            float32 (N,), higher is stranger.
        """
        ...

    def arrays(self) -> dict[str, Tensor]:
        """All that was fitted, by name; with the recipe it is enough to restore the score."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same score on another device."""
        ...
