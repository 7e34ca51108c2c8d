"""Points are augmented as points: what comes out is what the renderer would draw of the changed wafer."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.domain.tiling import Level, Window
from models.domain.verdict import Labels
from models.training_recipe import AugmentationRecipe
from models.views import SYMMETRIES, see
from pipelines.dataset.places import DefectPlaces
from pipelines.dataset.samples import DatasetKind
from pipelines.ingestion.rendering import render_points
from pipelines.ingestion.wafer_maps import DieGrid, PointMap
from pipelines.training.augmentation import Augmenter
from pipelines.training.defects import Defects
from pipelines.training.motion import Motion

CPU = torch.device("cpu")
LABELS = Labels(("a", "b", "none"), "none")
HALF_UM = 1.5e5
EVERYTHING = {
    "rotation": True, "shift": 0.03, "jitter": 0.02, "thin": 0.3, "thicken": 0.2, "noise": 0.2, "hide": 0.3, "mix": 0.5,
}  # fmt: skip


def wafer(defects: int = 400, seed: int = 0, inspected: DieGrid | None = None) -> PointMap:
    """Defects in a heap beside the middle, on the disc."""
    x, y = np.random.default_rng(seed).normal((2e4, -3e4), 2e4, (defects, 2)).clip(-1e5, 1e5).astype(np.float32).T
    return PointMap(x.copy(), y.copy(), 2 * HALF_UM, inspected)


def drawn(points: PointMap, tile: int = 32) -> torch.Tensor:
    """uint8 (tile, tile, 2), by the renderer."""
    return torch.from_numpy(render_points(points, Window(Level(0, tile, tile), 0, 0, tile, tile)).pixels)


def defects(wafers: list[PointMap], tile: int = 32) -> Defects:
    return Defects.of(DefectPlaces.of(wafers, tile), CPU)


def augment(
    wafers: list[PointMap], classes: list[int] | None = None, seed: int = 0, **recipe: object
) -> tuple[torch.Tensor, torch.Tensor]:
    """The drawn wafers, augmented, and their targets."""
    augmenter = Augmenter(AugmentationRecipe.model_validate({"symmetries": False} | recipe), LABELS, DatasetKind.POINTS)
    pixels = torch.stack([drawn(points) for points in wafers])
    targets = torch.eye(3)[classes or [0] * len(wafers)]
    return augmenter(pixels, targets, torch.Generator().manual_seed(seed), defects(wafers))


def counts(pixels: torch.Tensor) -> torch.Tensor:
    """Defects per pixel; exact up to forty or so."""
    return torch.expm1(pixels[..., 0].double() / 255 * np.log(1024)).round()


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=3), st.integers(1, 128), st.integers(0, 99))
def test_unchanged_wafers_are_drawn_as_the_renderer_draws_them(sizes: list[int], tile: int, seed: int) -> None:
    wafers = [wafer(size, seed + place) for place, size in enumerate(sizes)]
    expected = torch.stack([drawn(points, tile)[..., 0] for points in wafers])
    assert torch.equal(defects(wafers, tile).drawn(tile), expected)


def test_a_recipe_without_changes_gives_what_is_there() -> None:
    grid = DieGrid(np.array([0.0, 5e4]), np.array([0.0, -5e4]), (5e4, 5e4))  # defects also lie where no die was seen
    wafers = [wafer(seed=seed, inspected=grid) for seed in range(5)]
    varied, _ = augment(wafers)
    assert torch.equal(varied, torch.stack([drawn(points) for points in wafers]))


def test_symmetries_are_exactly_the_eight_views() -> None:
    wafers = [wafer()] * 300
    varied, _ = augment(wafers, symmetries=True)
    views = {
        see(drawn(wafer()).permute(2, 0, 1), view).permute(1, 2, 0).contiguous().numpy().tobytes()
        for view in SYMMETRIES
    }
    assert {one.contiguous().numpy().tobytes() for one in varied} == views


def test_a_turned_wafer_is_drawn_as_if_it_had_been_inspected_turned() -> None:
    """What pixels that look for the nearest pixel cannot do: two thirds of their counts would be others."""
    wafers = [wafer(seed=seed) for seed in range(20)]
    recipe = AugmentationRecipe(rotation=True, symmetries=True, shift=0.05)
    motion = Motion.draw(recipe, LABELS, torch.eye(3)[[0] * 20], torch.Generator().manual_seed(1))
    found = defects(wafers).moved(motion).drawn(32)
    differing = 0
    for k, points in enumerate(wafers):
        cos, sin = float(motion.cos[k]), float(motion.sin[k])
        up, left = (float(axis[k]) * HALF_UM for axis in motion.shift)
        row, column = -points.y_um - up, points.x_um - left
        turned = cos * row + sin * column, float(motion.mirror[k]) * (cos * column - sin * row)
        changed = PointMap(turned[1].astype(np.float32), -turned[0].astype(np.float32), 2 * HALF_UM)
        differing += int((found[k] != drawn(changed)[..., 0]).sum())
    assert differing <= 20 * 4, "of 400 defects each, those on the border of two pixels may fall to either side"


def test_what_was_inspected_moves_with_the_defects() -> None:
    grid = DieGrid(np.array([-1e5, -1e5]), np.array([-1e5, 0.0]), (1e5, 1e5))  # the left half
    x, y = np.random.default_rng(0).uniform((-9e4, -9e4), (-1e4, 9e4), (500, 2)).astype(np.float32).T
    varied, _ = augment([PointMap(x.copy(), y.copy(), 2 * HALF_UM, grid)] * 50, rotation=True)
    found = counts(varied)
    assert (found.sum((1, 2)) == 500).all()
    near = torch.nn.functional.max_pool2d(varied[..., 1].float(), 3, 1, 1) > 0
    assert not found[~near].any()


def test_directed_classes_keep_their_direction() -> None:
    varied, _ = augment([wafer()] * 100, [0, 1] * 50, directed=("b",), rotation=True)
    same = (varied == drawn(wafer())).flatten(1).all(1)
    assert same[1::2].all()
    assert same[::2].float().mean() < 0.1


def test_jitter_moves_by_fractions_of_a_pixel_and_loses_nothing() -> None:
    pixel = 2 / 32
    middle = np.zeros(2000, np.float32) + np.float32(HALF_UM * pixel / 2)  # all in the middle of one pixel
    varied, _ = augment([PointMap(middle, middle, 2 * HALF_UM)], jitter=pixel / 2 / 16)
    assert counts(varied).count_nonzero() == 1, "eight standard deviations to the next pixel"
    varied, _ = augment([PointMap(middle[:200], middle[:200], 2 * HALF_UM)] * 20, jitter=pixel / 4)
    assert (counts(varied).sum((1, 2)) - 200).abs().max() <= 2  # large counts are read back roughly
    assert counts(varied).flatten(1).count_nonzero(1).min() > 4


def test_shares_are_as_stated() -> None:
    wafers, before = [wafer(2000)] * 200, counts(drawn(wafer(2000))).sum()

    def share(**recipe: object) -> float:
        return float(counts(augment(wafers, **recipe)[0]).sum() / 200 / before)

    assert share(thin=0.4) == pytest.approx(0.8, abs=0.03)
    assert share(thicken=0.4) == pytest.approx(1.2, abs=0.03)
    assert share(noise=0.4) == pytest.approx(1.2, abs=0.03)


def test_heaps_are_thinned_as_what_they_stand_for() -> None:
    crowded = wafer(60_000)
    many = defects([crowded] * 20)
    assert int(many.weight.max()) > 1
    left = many.thinned(0.4, torch.Generator().manual_seed(0)).weight.sum()
    assert float(left / many.weight.sum()) == pytest.approx(0.8, abs=0.05)


def test_thickened_defects_lie_beside_their_own() -> None:
    once, _ = augment([wafer(50)] * 50)
    twice, _ = augment([wafer(50)] * 50, thicken=1.0)
    more = counts(twice) - counts(once)
    assert (more >= 0).all()
    near = torch.nn.functional.max_pool2d(once[..., 0].float(), 7, 1, 3) > 0
    assert not more[~near].any()


def test_nothing_is_added_where_nothing_was_inspected() -> None:
    grid = DieGrid(np.array([0.0]), np.array([-5e4]), (5e4, 5e4))
    x, y = np.random.default_rng(0).uniform((1e3, -4.9e4), (4.9e4, -1e3), (300, 2)).astype(np.float32).T
    small = PointMap(x.copy(), y.copy(), 2 * HALF_UM, grid)
    changes = {name: value for name, value in EVERYTHING.items() if name not in {"rotation", "shift"}}
    varied, _ = augment([small, wafer(3000)] * 50, [0, 2] * 50, **changes)
    here = varied[::2]
    assert not here[..., 0][here[..., 1] == 0].any()
    assert (counts(here).sum((1, 2)) > 0).all()


def test_patterns_are_laid_on_normal_backgrounds_only() -> None:
    def line(x_um: float, defects: int) -> PointMap:
        y = np.linspace(-1e5, 1e5, defects, dtype=np.float32)
        return PointMap(np.full(defects, x_um, np.float32), y, 2 * HALF_UM)

    pattern, other, background = line(-5e4, 40), line(0.0, 30), line(5e4, 20)
    wafers = [pattern] * 20 + [other] * 20 + [background] * 20
    varied, targets = augment(wafers, [0] * 20 + [1] * 20 + [2] * 20, mix=1.0)
    assert torch.equal(targets, torch.eye(3)[[0] * 20 + [1] * 20 + [2] * 20])
    assert torch.equal(counts(varied)[:20], (counts(drawn(pattern)) + counts(drawn(background))).expand(20, -1, -1))
    assert torch.equal(counts(varied)[40:], 2 * counts(drawn(background)).expand(20, -1, -1))


def test_chance_follows_the_generator() -> None:
    wafers, classes = [wafer(seed=seed) for seed in range(40)], [0, 1, 2, 2] * 10
    first, _ = augment(wafers, classes, **EVERYTHING)
    assert torch.equal(first, augment(wafers, classes, **EVERYTHING)[0])
    assert not torch.equal(first, augment(wafers, classes, seed=1, **EVERYTHING)[0])
