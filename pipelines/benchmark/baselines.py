"""The usual baselines of a recipe: simple methods that see the same patches."""

from models.recipe import Recipe
from pipelines.benchmark.contest import Contestant
from pipelines.benchmark.neighbours import PixelNeighbours


def usual_baselines(recipe: Recipe) -> tuple[Contestant, ...]:
    """Baselines on the recipe's own patches."""
    return (PixelNeighbours(recipe.tiling.tile, recipe.channels),)
