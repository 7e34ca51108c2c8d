"""Fit the scores a recipe names. Done once, in training; the result lies in the bundle."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.domain.errors import ConfigurationError
from models.open_set.drawn_strangers import DrawnStrangers, standardised
from models.open_set.fusion import Fusion
from models.open_set.gaussians import GaussianMixture, Mahalanobis
from models.open_set.known import Contrast, Head, Known
from models.open_set.neighbours import Neighbours
from models.open_set.of_logits import OfLogits
from models.open_set.score import NoveltyScore
from models.open_set.virtual_logit import VirtualLogit
from models.recipe import OpenSetRecipe, ScoreName

Part = TypeVar("Part")
SHRINKAGE = 1e-3
"""Share of the mean variance added to every direction: one that nothing varies in must not be infinitely sharp."""


def fit(
    recipe: OpenSetRecipe,
    train: Known,
    held_out: Known | None = None,
    head: Head | None = None,
    seed: int = 0,
    *,
    contrast: Contrast | None = None,
) -> NoveltyScore:
    """Fit what the recipe asks for.

    Args:
        recipe: which scores and their numbers.
        train: windows the scores are fitted on.
        held_out: other known windows, from other lots; needed to combine several scores. The threshold is best set on
            yet other ones.
        head: the network's last layer, needed by ViM.
        seed: of the mixture's start.
        contrast: what the score of traits is fitted on.

    Returns:
        One score, or the combination of several.

    Raises:
        ConfigurationError: something needed is missing, or labels do not suit the score.
    """
    train = Known(train.logits.float().cpu(), train.embeddings.float().cpu(), train.labels.cpu())
    fitting = _Fitting(recipe, train, head, seed, contrast)
    scores = tuple(map(fitting.one, recipe.scores))
    if len(scores) == 1:
        return scores[0]
    if held_out is None:
        raise ConfigurationError(
            "several novelty scores cannot be combined without held-out windows", where="recipe.open_set.scores"
        )
    return Fusion(recipe.scores, scores, torch.stack([score.score(held_out.seen) for score in scores]))


@dataclass(frozen=True, slots=True, eq=False)
class _Fitting:
    """What single scores are fitted with."""

    recipe: OpenSetRecipe
    train: Known
    head: Head | None
    seed: int
    contrast: Contrast | None

    def one(self, name: ScoreName) -> NoveltyScore:
        recipe, train = self.recipe, self.train
        match name:
            case "max_probability" | "energy" | "max_logit":
                return OfLogits(name)
            case "mahalanobis" | "relative_mahalanobis":
                train.require_classes(name)
                return fit_mahalanobis(train, relative=name == "relative_mahalanobis")
            case "gaussian_mixture":
                return fit_mixture(train.embeddings, recipe.components, recipe.latent, self.seed)
            case "neighbours":
                examples = train.embeddings[some_of_each(train.labels, recipe.reference_per_class, self.seed)]
                return Neighbours(torch.nn.functional.normalize(examples, dim=-1), recipe.neighbours)
            case "vim":
                return fit_vim(train, self._needed(self.head, name, "the network's head"), recipe.latent)
            case "traits":
                return fit_drawn_strangers(self._needed(self.contrast, name, "drawn strangers"))

    def _needed(self, part: Part | None, name: str, what: str) -> Part:
        if part is None:
            raise ConfigurationError(f"score '{name}' needs {what}", where="recipe.open_set.scores")
        return part


def some_of_each(labels: Tensor, per_class: int, seed: int = 0) -> Tensor:
    """Rows of a random choice of at most `per_class` windows of each label, ascending; int64."""
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    kept = [shuffled[labels[shuffled] == label][:per_class] for label in torch.unique(labels)]
    return torch.cat(kept).sort().values


def fit_mahalanobis(train: Known, *, relative: bool) -> Mahalanobis:
    """Class means and the covariance they share; with `relative`, also that of everything."""
    embeddings = train.embeddings.double()
    classes = torch.unique(train.labels)
    means = torch.stack([embeddings[train.labels == label].mean(0) for label in classes])
    centre = embeddings.mean(0)
    within = embeddings - means[torch.searchsorted(classes, train.labels)]
    whitening = _whitening(within)
    background = _whitening(embeddings - centre) if relative else torch.empty(0, 0, dtype=torch.float64)
    return Mahalanobis(
        whitening=whitening.float(),
        means=((means - centre) @ whitening).float(),
        centre=centre.float(),
        background=background.float(),
    )


def fit_mixture(embeddings: Tensor, components: int, latent: int, seed: int = 0) -> GaussianMixture:
    """Expectation maximisation on the principal components; fewer of both where there are not enough windows.

    Args:
        embeddings: (N, D).
        components: Gaussians, at most one for every ten windows.
        latent: principal components, at most D and N.
        seed: of the start.
    """
    # not at the top: fitting happens once, and every process that only scores would wait for scikit-learn
    from sklearn.mixture import GaussianMixture as Fit  # noqa: PLC0415

    centre = embeddings.double().mean(0)
    _, deviations, axes = torch.linalg.svd(embeddings.double() - centre, full_matrices=False)
    deviations = deviations / len(embeddings) ** 0.5
    used = min(latent, int((deviations > 1e-6 * deviations[0].clamp_min(1e-12)).sum().clamp_min(1)))
    projection = axes[:used].T / deviations[:used].clamp_min(1e-12)
    mixture = Fit(
        max(1, min(components, len(embeddings) // 10)), covariance_type="full", reg_covar=SHRINKAGE, random_state=seed
    ).fit(((embeddings.double() - centre) @ projection).numpy())
    return GaussianMixture(
        centre=centre.float(),
        components=projection.float(),
        log_weights=torch.from_numpy(mixture.weights_).log().float(),
        means=torch.from_numpy(mixture.means_).float(),
        precisions=torch.from_numpy(mixture.precisions_cholesky_).float(),
    )


def fit_drawn_strangers(contrast: Contrast, strength: float = 1.0) -> DrawnStrangers:
    """Logistic regression between known and strange, both sides counting alike; strength 1 / C of its ridge."""
    both = torch.cat([contrast.known, contrast.strange]).double()
    mean, scale = both.mean(0), both.std(0) + 1e-3
    numbers = standardised(both, mean, scale)
    strange = torch.cat([torch.zeros(len(contrast.known)), torch.ones(len(contrast.strange))]).double()
    importance = torch.where(strange > 0, 1 / len(contrast.strange), 1 / len(contrast.known))
    weights = torch.zeros(numbers.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        each = binary_cross_entropy_with_logits(numbers @ weights + bias, strange, reduction="none")
        value = (importance * each).sum() + strength / (2 * len(numbers)) * weights @ weights
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    return DrawnStrangers(mean.float(), scale.float(), weights.detach().float(), bias.detach().float())


def fit_vim(train: Known, head: Head, latent: int) -> VirtualLogit:
    """Principal space of the embeddings around the head's origin; it is left at least half of the dimensions."""
    weight, bias = head.weight.detach().double().cpu(), head.bias.detach().double().cpu()
    origin = -torch.linalg.pinv(weight) @ bias
    centred = train.embeddings.double() - origin
    dimensions = centred.shape[1]
    _, axes = torch.linalg.eigh(centred.T @ centred)  # ascending: the first axes are the least used
    residual = axes[:, : dimensions - min(latent, dimensions // 2)]
    length = (centred @ residual).norm(dim=-1).mean().clamp_min(1e-12)
    scale = train.logits.double().amax(-1).mean() / length
    return VirtualLogit(origin.float(), residual.float(), scale.float().reshape(1))


def _whitening(centred: Tensor) -> Tensor:
    """(D, D) so that `centred @ result` has unit covariance, as far as SHRINKAGE lets it."""
    covariance = centred.T @ centred / len(centred)
    size = len(covariance)
    covariance += torch.eye(size, dtype=centred.dtype) * (SHRINKAGE * covariance.trace() / size).clamp_min(1e-12)
    # covariance = L Lᵀ, so x L⁻ᵀ has covariance L⁻¹ L Lᵀ L⁻ᵀ = 1
    whitening: Tensor = torch.linalg.inv(torch.linalg.cholesky(covariance)).T
    return whitening.contiguous()
