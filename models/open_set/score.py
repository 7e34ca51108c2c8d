"""What every novelty score can do, and what it may look at."""

from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of N windows.

    Attributes:
        logits: float32 (N, K).
        embeddings: float32 (N, D), on the device of the score.
        traits: float32 (N, F), as `models.traits.describe` gives them; None where no score asks for them.
    """

    logits: Tensor
    embeddings: Tensor
    traits: Tensor | None = None


class NoveltyScore(Protocol):
    """A fitted score: plain arrays and one function."""

    def score(self, seen: Seen) -> Tensor:
        """How strange each window is: float32 (N,), higher is stranger."""
        ...

    def arrays(self) -> dict[str, Tensor]:
        """All that was fitted, by name; with the recipe it is enough to restore the score."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same score on another device."""
        ...
