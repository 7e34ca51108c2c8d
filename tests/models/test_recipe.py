"""Recipes: what is accepted, and what is said of what is not."""

from pathlib import Path

import pytest

from models.domain.errors import ConfigurationError
from models.domain.tiling import Tiling
from models.recipe import Recipe


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def test_a_name_is_enough(tmp_path: Path) -> None:
    recipe = Recipe.load(write(tmp_path, "name: wafer\n"))
    assert recipe.domain_tiling == Tiling(64, 0, (0,))
    assert recipe.channels == 2
    assert recipe.network.name == "small"


def test_every_part_can_be_set(tmp_path: Path) -> None:
    recipe = Recipe.load(
        write(
            tmp_path,
            """
name: aerial
kind: image
tiling: {tile: 96, overlap: 48, levels: [-1]}
channels: 3
preprocessing: {mean: [0.4, 0.4, 0.5], std: [0.2, 0.2, 0.3]}
network: {name: small, widths: [16, 32], padding: none}
views: [identity, flip_rot90]
open_set: {scores: [vim], budget: 0.05}
training: {epochs: 2, sampler: class-balanced, augmentation: {jitter: 0.01}}
""",
        )
    )
    assert recipe.domain_tiling == Tiling(96, 48, (-1,))
    assert recipe.views == ("identity", "flip_rot90")
    assert recipe.training.augmentation.jitter == 0.01


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(name="wafer", views=("identity", "rot90"))
    assert Recipe.parse(recipe.model_dump(mode="json"), "here") == recipe


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: wafer\ntraining: {epoch: 3}\n", "training.epoch"),
        ("name: wafer\ntraining: {lr: .nan}\n", "training.lr"),
        ("name: Wafer!\n", "name"),
        ("name: wafer\nviews: [upside_down]\n", "views.0"),
        ("name: wafer\nviews: [identity, identity]\n", "repeat"),
        ("name: wafer\npreprocessing: {mean: [0, 0, 0]}\n", "3 values for 2 channels"),
        ("name: wafer\npreprocessing: {std: [0]}\n", "preprocessing.std.0"),
        ("name: wafer\ntiling: {tile: 8, overlap: 8}\n", "overlap < tile"),
        ("name: wafer\nnetwork: {name: os.system}\n", "network.name"),
        ("- a list\n", "recipe.yaml"),
        ("", "recipe.yaml"),
        ("name: [unclosed\n", "recipe: not YAML"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told.replace(".", r"\.")) as caught:
        Recipe.load(write(tmp_path, text))
    assert "recipe.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Recipe.load(tmp_path / "none.yaml")


def test_several_errors_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="1 more wrong"):
        Recipe.load(write(tmp_path, "name: wafer\nchannels: 0\ntiling: {tile: 0}\n"))


def test_the_linear_share_is_for_wafers_only() -> None:
    with pytest.raises(ConfigurationError, match="only wafers have"):
        Recipe.parse({"name": "x", "kind": "image", "channels": 3, "preprocessing": {"share": True}}, "test")
