"""How much the traits of a pattern speak for strangers drawn at random, and against everything known.

Logistic regression on `models.traits` between known windows and normal ones with random fields of failures on top: the
density ratio of "any pattern at all" to "what we know" (Hido et al., "Statistical outlier detection using direct
density ratio estimation", Knowl. Inf. Syst. 26, 2011; outliers made up: Steinwart, Hush, Scovel, JMLR 6, 2005). It is
linear on purpose: a flexible one learns how real failures differ from drawn ones, which no real stranger shares.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.domain.errors import ConfigurationError
from models.open_set.score import Seen

_FAR = 4.0
"""Standard deviations beyond which a number says nothing more."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnStrangers:
    """A linear score.

    Attributes:
        mean: (F,), of each number.
        scale: (F,), its standard deviation.
        weights: (F,), how much it speaks for a stranger.
        bias: (1,).
    """

    mean: Tensor
    scale: Tensor
    weights: Tensor
    bias: Tensor

    def score(self, seen: Seen) -> Tensor:
        """Log odds of a drawn stranger against a known window."""
        if seen.traits is None:
            raise ConfigurationError(
                "no traits to judge by", where="recipe.open_set.scores: traits", expected="whole wafers"
            )
        return standardised(seen.traits, self.mean, self.scale) @ self.weights + self.bias

    def arrays(self) -> dict[str, Tensor]:
        """See `NoveltyScore`."""
        return {"mean": self.mean, "scale": self.scale, "weights": self.weights, "bias": self.bias}

    def to(self, device: torch.device) -> Self:
        """See `NoveltyScore`."""
        return type(self)(**{name: array.to(device) for name, array in self.arrays().items()})


def standardised(traits: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Numbers in standard deviations, cut where they are far."""
    return ((traits - mean) / scale).clamp(-_FAR, _FAR)
