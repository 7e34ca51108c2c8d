"""ViM: a virtual logit for what the embedding has outside the principal space (Wang et al., CVPR 2022)."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.open_set.score import Seen


@dataclass(frozen=True, slots=True, eq=False)
class VirtualLogit:
    """The space known embeddings hardly use.

    Attributes:
        origin: (D,), the embedding that gives all logits zero: - pinv(weight) bias of the head.
        residual: (D, D - d), orthonormal axes outside the principal space.
        scale: (1,), brings the residual's length to the size of logits.
    """

    origin: Tensor
    residual: Tensor
    scale: Tensor

    def score(self, seen: Seen) -> Tensor:
        """Virtual logit less the energy of the real ones."""
        virtual: Tensor = torch.linalg.vector_norm((seen.embeddings - self.origin) @ self.residual, dim=-1) * self.scale
        return virtual - seen.logits.logsumexp(-1)

    def arrays(self) -> dict[str, Tensor]:
        """See `NoveltyScore`."""
        return {"origin": self.origin, "residual": self.residual, "scale": self.scale}

    def to(self, device: torch.device) -> Self:
        """See `NoveltyScore`."""
        return type(self)(**{name: array.to(device) for name, array in self.arrays().items()})
