"""Scores from Gaussian models of the latent space.

Mahalanobis: the distance to the nearest class mean under one shared covariance (Lee et al., NeurIPS 2018). Relative:
the same minus the distance to the mean of everything, which cancels directions in which all windows vary (Ren et al.,
2021). Mixture: - log likelihood under a Gaussian mixture on the principal components of the latent space, the score of
the reference paper on wafer defect maps (Frittoli et al., Pattern Recognition 2022); it needs no classes.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.open_set.score import Seen


@dataclass(frozen=True, slots=True, eq=False)
class Mahalanobis:
    """Class means in whitened coordinates.

    Attributes:
        whitening: (D, D); (embedding - centre) @ whitening has unit covariance within classes.
        means: (K, D), whitened means of the classes.
        centre: (D,), mean of everything.
        background: (D, D), whitening under the covariance of everything; empty (0, 0) = not relative.
    """

    whitening: Tensor
    means: Tensor
    centre: Tensor
    background: Tensor

    def score(self, seen: Seen) -> Tensor:
        """Squared distance to the nearest class, less that to everything if relative."""
        centred = seen.embeddings - self.centre
        nearest = torch.cdist(centred @ self.whitening, self.means).square().amin(-1)
        if not self.background.numel():
            return nearest
        return nearest - (centred @ self.background).square().sum(-1)

    def arrays(self) -> dict[str, Tensor]:
        """See `NoveltyScore`."""
        return {
            "whitening": self.whitening,
            "means": self.means,
            "centre": self.centre,
            "background": self.background,
        }

    def to(self, device: torch.device) -> Self:
        """See `NoveltyScore`."""
        return type(self)(**{name: array.to(device) for name, array in self.arrays().items()})


@dataclass(frozen=True, slots=True, eq=False)
class GaussianMixture:
    """Mixture of M Gaussians on d principal components.

    Attributes:
        centre: (D,), subtracted from embeddings.
        components: (D, d), principal axes divided by their standard deviations.
        log_weights: (M,).
        means: (M, d).
        precisions: (M, d, d), Cholesky factors of the inverse covariances, upper triangular.
    """

    centre: Tensor
    components: Tensor
    log_weights: Tensor
    means: Tensor
    precisions: Tensor

    def score(self, seen: Seen) -> Tensor:
        """- log likelihood."""
        latent = (seen.embeddings - self.centre) @ self.components
        # (N, M, d): each point in the coordinates of each Gaussian, in which that one is a unit sphere
        spheres = torch.einsum("nd,mde->nme", latent, self.precisions) - torch.einsum(
            "md,mde->me", self.means, self.precisions
        )
        log_determinants = self.precisions.diagonal(dim1=1, dim2=2).log().sum(1)
        dimensions = latent.shape[1]
        log_density = log_determinants - 0.5 * (spheres.square().sum(-1) + dimensions * math.log(2 * math.pi))
        return -(self.log_weights + log_density).logsumexp(-1)

    def arrays(self) -> dict[str, Tensor]:
        """See `NoveltyScore`."""
        return {
            "centre": self.centre,
            "components": self.components,
            "log_weights": self.log_weights,
            "means": self.means,
            "precisions": self.precisions,
        }

    def to(self, device: torch.device) -> Self:
        """See `NoveltyScore`."""
        return type(self)(**{name: array.to(device) for name, array in self.arrays().items()})
