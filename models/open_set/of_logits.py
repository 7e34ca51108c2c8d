"""Scores of the logits alone; nothing is fitted."""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from models.open_set.score import Seen


def max_probability(logits: Tensor) -> Tensor:
    """1 - the largest softmax probability (Hendrycks, Gimpel, ICLR 2017); logits (N, K) → (N,)."""
    return 1 - logits.softmax(-1).amax(-1)


def energy(logits: Tensor) -> Tensor:
    """Free energy, - log Σ exp(logit) (Liu et al., NeurIPS 2020); logits (N, K) → (N,)."""
    return -logits.logsumexp(-1)


def max_logit(logits: Tensor) -> Tensor:
    """- the largest logit (Hendrycks et al., ICML 2022); logits (N, K) → (N,)."""
    return -logits.amax(-1)


@dataclass(frozen=True, slots=True)
class OfLogits:
    """One of the scores of logits."""

    kind: Literal["max_probability", "energy", "max_logit"]

    def score(self, seen: Seen) -> Tensor:
        """See `NoveltyScore`."""
        match self.kind:
            case "max_probability":
                return max_probability(seen.logits)
            case "energy":
                return energy(seen.logits)
            case "max_logit":
                return max_logit(seen.logits)

    def arrays(self) -> dict[str, Tensor]:
        """Nothing was fitted."""
        return {}

    def to(self, device: torch.device) -> Self:  # noqa: ARG002
        """Lives on any device."""
        return self
