"""Distance to the k-th nearest training embedding, all of length one (Sun et al., ICML 2022)."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.open_set.score import Seen

CHUNK = 1024
"""Windows compared at once: with 10,000 examples 40 MB of distances."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Known examples.

    Attributes:
        examples: (R, D), embeddings of length one.
        k: which neighbour counts; the farthest there is if there are fewer.
    """

    examples: Tensor
    k: int

    def score(self, seen: Seen) -> Tensor:
        """Euclidean distance, 0..2."""
        k = min(self.k, len(self.examples))
        distances = [self._distances(part).kthvalue(k, dim=-1).values for part in torch.split(seen.embeddings, CHUNK)]
        return torch.cat(distances) if distances else seen.embeddings[:, 0]

    def _distances(self, embeddings: Tensor) -> Tensor:
        cosine = torch.nn.functional.normalize(embeddings, dim=-1) @ self.examples.T
        return (2 - 2 * cosine).clamp_min(0).sqrt()

    def arrays(self) -> dict[str, Tensor]:
        """See `NoveltyScore`."""
        return {"examples": self.examples}

    def to(self, device: torch.device) -> Self:
        """See `NoveltyScore`."""
        return type(self)(self.examples.to(device), self.k)
