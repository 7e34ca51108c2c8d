"""Baselines learn from the training lots of a fold and answer its test lots."""

from pathlib import Path

import pytest

from models.dense import require_dense
from models.recipe import Recipe
from pipelines import recipes
from pipelines.benchmark import Contestant, Fold, Role, Trained, write_fold
from pipelines.benchmark.baselines import plain, usual_baselines
from pipelines.benchmark.handcrafted import HandCrafted
from pipelines.benchmark.neighbours import EmbeddingNeighbours, PixelNeighbours
from tests.pipelines.benchmark.test_contest import RECIPE, Silent

OURS = Trained(Recipe.parse(RECIPE, "test"), progress=Silent())


@pytest.mark.parametrize(
    ("contestant", "least"),
    [(PixelNeighbours(16, 2), 0.8), (HandCrafted(16, 2, rounds=20), 0.8), (EmbeddingNeighbours(OURS), 0.5)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_it_finds_large_patterns(contestant: Contestant, least: float, dataset: Path, tmp_path: Path) -> None:
    write_fold(dataset, tmp_path / "data", Fold(0, 3))
    scores = contestant.answer(tmp_path / "data", tmp_path).scores()
    assert scores.macro_f1.value > least
    assert scores.refused == 0
    assert contestant.role is Role.BASELINE


def test_the_plain_network_sees_the_same_patches_and_nothing_else_of_our_recipe() -> None:
    ours = OURS.recipe
    made = plain(ours)
    assert (made.kind, made.channels, made.tiling) == (ours.kind, ours.channels, ours.tiling)
    assert made.training.sampler == "natural"
    assert not made.training.augmentation.symmetries
    assert Recipe.parse(made.model_dump(mode="json"), "plain") == made


def test_the_plain_network_stands_beside_every_shipped_recipe() -> None:
    for path in Path(recipes.__path__[0]).glob("*.yaml"):
        require_dense(plain(Recipe.load(path)))


def test_the_usual_ones_are_all_there() -> None:
    names = [contestant.name for contestant in usual_baselines(OURS)]
    assert names == ["5 nearest, pixels", "features, boosting", "recipe plain", "5 nearest, embeddings"]
