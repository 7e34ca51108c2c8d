"""What scores are fitted on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.domain.errors import ConfigurationError
from models.open_set.score import Seen


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Outputs of the network for N windows of known classes.

    Attributes:
        logits: float32 (N, K).
        embeddings: float32 (N, D).
        labels: int64 (N,), true class; -1 where a window has no single one.
        traits: float32 (N, F), see `Seen`.
    """

    logits: Tensor
    embeddings: Tensor
    labels: Tensor
    traits: Tensor | None = None

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: the columns differ in length, are empty, or hold values that are not finite.
        """
        lengths = {len(self.logits), len(self.embeddings), len(self.labels)}
        finite = bool(torch.isfinite(self.logits).all() and torch.isfinite(self.embeddings).all())
        if len(lengths) != 1 or 0 in lengths or not finite:
            raise ConfigurationError(
                "cannot fit a novelty score",
                expected="as many finite logits and embeddings as labels, at least one",
                got=f"{len(self.logits)} logits, {len(self.embeddings)} embeddings, {len(self.labels)} labels",
            )

    @property
    def seen(self) -> Seen:
        """What a score may look at."""
        return Seen(self.logits, self.embeddings, self.traits)

    def require_classes(self, score: str) -> None:
        """Refuse windows without a single class.

        Raises:
            ConfigurationError: a label is negative.
        """
        if bool((self.labels < 0).any()):
            raise ConfigurationError(
                "this novelty score needs one class per window",
                where=f"recipe.open_set.scores: {score}",
                remedy="take neighbours or gaussian_mixture where labels are not exclusive",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Traits (`models.traits`) of known windows as often as they occur (N, F), and of drawn strangers (M, F)."""

    known: Tensor
    strange: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The linear layer from embedding to logits: weight (K, D), bias (K,)."""

    weight: Tensor
    bias: Tensor
