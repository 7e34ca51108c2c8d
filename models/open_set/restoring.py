"""Rebuild a fitted score from the arrays in a bundle."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.domain.errors import ConfigurationError
from models.open_set.drawn_strangers import DrawnStrangers
from models.open_set.fusion import Fusion
from models.open_set.gaussians import GaussianMixture, Mahalanobis
from models.open_set.neighbours import Neighbours
from models.open_set.of_logits import OfLogits
from models.open_set.score import NoveltyScore
from models.open_set.virtual_logit import VirtualLogit
from models.recipe import OpenSetRecipe, ScoreName


def restore(recipe: OpenSetRecipe, arrays: Mapping[str, NDArray[np.float32]], where: str = "bundle") -> NoveltyScore:
    """Inverse of `arrays_of`.

    Args:
        recipe: the scores' names and numbers.
        arrays: as `Reference.novelty` keeps them.
        where: for the error message.

    Raises:
        ConfigurationError: an array is missing or unknown.
    """
    tensors = {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in arrays.items()}
    try:
        if len(recipe.scores) == 1:
            return _one(recipe.scores[0], recipe, tensors)
        calibration = tensors.pop("fusion.calibration")
        scores = tuple(_one(name, recipe, _own(name, tensors)) for name in recipe.scores)
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            "novelty score does not fit the recipe",
            where=where,
            expected=f"arrays of {', '.join(recipe.scores)}",
            got=", ".join(sorted(arrays)) or "none",
            remedy="fit it again",
        ) from error
    return Fusion(recipe.scores, scores, calibration)


def arrays_of(score: NoveltyScore) -> dict[str, NDArray[np.float32]]:
    """What of a fitted score goes into `Reference.novelty`; inverse of `restore`."""
    return {name: array.detach().cpu().contiguous().numpy() for name, array in score.arrays().items()}


def _own(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): array for key, array in tensors.items() if key.startswith(f"{name}.")}


def _one(name: ScoreName, recipe: OpenSetRecipe, own: dict[str, Tensor]) -> NoveltyScore:
    match name:
        case "max_probability" | "energy" | "max_logit":
            return OfLogits(name)
        case "mahalanobis" | "relative_mahalanobis":
            return Mahalanobis(**own)
        case "gaussian_mixture":
            return GaussianMixture(**own)
        case "neighbours":
            return Neighbours(**own, k=recipe.neighbours)
        case "vim":
            return VirtualLogit(**own)
        case "traits":
            return DrawnStrangers(**own)
