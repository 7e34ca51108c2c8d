"""Counts on frames left out: who is counted as what, and by how much each way errs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import ConfigurationError, InputError
from models.recipe import CountRecipe, Recipe, TilingRecipe
from pipelines.benchmark.counts import CountsFound, CountStudy, FrameCounts, _adjacent, _matched, _split
from pipelines.dataset.samples import Picture, Sample
from pipelines.dataset.sources.dots import Dot

ONE = FrameCounts("a", {"pup": 4, "cow": 2}, {"pup": 5}, {"cow": 9}, {"pup": 1.0, "cow": 0.0}, hits=4, right=3)


def test_errors_are_means_over_frames() -> None:
    found = CountsFound("", ("cow", "pup"), (ONE, replace(ONE, dense={"pup": 4, "cow": 2})))
    assert found.error("dense", "pup") == 0.5
    assert found.error("dense", "cow") == 1
    assert found.error("dense") == 0.5, "of all objects: one too few on the first frame"
    assert found.error("patchwise") == 3
    assert found.error("mean") == 5


def test_each_dot_has_one_place_and_each_place_one_dot() -> None:
    dots = [Dot(10, 10, "pup"), Dot(10, 14, "pup"), Dot(90, 90, "cow")]
    places = np.array([[10.0, 11.0], [90.0, 99.0], [50.0, 50.0]])
    assert _matched(dots, places, ["pup", "pup", "pup"], within=10) == (2, 1)
    assert _matched(dots, places, ["pup", "cow", "pup"], within=5) == (1, 1)
    assert _matched(dots, np.empty((0, 2)), [], within=5) == (0, 0)


def test_adjacent_windows_cover_the_line() -> None:
    line = np.append(np.arange(0, 300, 16), 305)
    assert line[_adjacent(line, 96)].tolist() == [0, 96, 192, 288, 305]


def test_nothing_of_the_frame_left_out_is_learned() -> None:
    samples = [Sample((label,), group, Picture(b""), "") for group in "abcdefg" for label in ("pup", "sand")]
    split = _split(samples, "c")
    assert {one.group for one in split if one.split == "test"} == {"c"}
    assert {one.split for one in split} == {"train", "valid", "test"}
    for group in "abdefg":
        assert len({one.split for one in split if one.group == group}) == 1


def test_a_recipe_must_count_and_frames_must_exist(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("frame,row,col,class\na.png,4,3,pup\n")
    recipe = Recipe(name="x")
    with pytest.raises(ConfigurationError, match="does not count"):
        CountStudy(recipe, tmp_path / "points.csv").run(tmp_path)
    counting = Recipe(name="x", tiling=TilingRecipe(tile=32, dense=4), count=CountRecipe())
    with pytest.raises(InputError, match="no such frame"):
        CountStudy(counting, tmp_path / "points.csv").run(tmp_path, only=["b.png"])
