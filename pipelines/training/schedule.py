"""The learning rate over the steps; a pure function, so that a resumed run continues exactly."""

import math

from models.training_recipe import TrainingRecipe

ONE_CYCLE_START = 0.04
"""One-cycle begins at 1/25 of the largest rate (Smith, 2018)."""
PLATEAU_FACTOR = 0.3


def rate_share(recipe: TrainingRecipe, step: int, steps: int, drops: int = 0) -> float:
    """Share of the recipe's largest learning rate at a step.

    Args:
        recipe: schedule and warm-up.
        step: 0 <= step < steps.
        steps: of the whole training.
        drops: how often the validation figure has stalled so far (plateau only).
    """
    warm = recipe.warmup_share * steps
    if step < warm:
        start = ONE_CYCLE_START if recipe.schedule == "one-cycle" else 0.0
        return start + (1 - start) * (step + 1) / max(warm, 1) if step + 1 < warm else 1.0
    done = (step - warm) / max(steps - warm, 1)
    match recipe.schedule:
        case "one-cycle" | "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        case "plateau":
            return PLATEAU_FACTOR**drops
        case "constant":
            return 1.0


def momentum_at(recipe: TrainingRecipe, share: float) -> float | None:
    """First momentum at a share of the largest rate: one-cycle lowers it from 0.95 to 0.85 where the rate is high.

    None = leave the optimiser's own (all other schedules).
    """
    return 0.95 - 0.1 * share if recipe.schedule == "one-cycle" else None
