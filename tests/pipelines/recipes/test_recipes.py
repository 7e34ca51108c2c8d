"""Shipped recipes load, build, and give a reason for their numbers."""

from pathlib import Path

import pytest

from models.network import build_network
from models.recipe import Recipe
from pipelines import recipes

FILES = sorted(Path(recipes.__path__[0]).glob("*.yaml"))


def test_the_four_recipes_are_there() -> None:
    assert {file.stem for file in FILES} >= {"aerial", "demo", "mixed", "wafer"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recipe_builds_its_network(file: Path) -> None:
    recipe = Recipe.load(file)
    assert recipe.name == file.stem
    assert build_network(recipe, 4).head.out_features == 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_says_what_it_is_for(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    reasons = sum("#" in line for line in lines[1:])
    assert reasons >= 5, "numbers without reasons cannot be changed with confidence"
