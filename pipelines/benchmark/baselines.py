"""The usual baselines of a recipe: simple methods that see the same patches."""

from pathlib import Path

from models.recipe import Recipe
from pipelines import recipes
from pipelines.benchmark.contest import Contestant, Role
from pipelines.benchmark.handcrafted import HandCrafted
from pipelines.benchmark.neighbours import EmbeddingNeighbours, PixelNeighbours
from pipelines.benchmark.trained import Trained


def usual_baselines(ours: Trained) -> tuple[Contestant, ...]:
    """Likeness of pixels, features with boosting, a plain network, and likeness of our own network's embeddings."""
    recipe = ours.recipe
    tile, channels = recipe.tiling.tile, recipe.channels
    return (
        PixelNeighbours(tile, channels),
        HandCrafted(tile, channels),
        Trained(plain(recipe), Role.BASELINE, ours.progress),
        EmbeddingNeighbours(ours),
    )


def plain(recipe: Recipe) -> Recipe:
    """The plain network of `recipes/plain.yaml` on a recipe's patches, one at a time: same kind, tile and channels."""
    tiling = recipe.tiling.model_copy(update={"dense": None})
    found = Recipe.load(Path(recipes.__path__[0]) / "plain.yaml")
    return found.model_copy(update={"kind": recipe.kind, "channels": recipe.channels, "tiling": tiling})
