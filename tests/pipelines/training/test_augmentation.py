"""Augmented pictures stay pictures a tool could send, and labels stay true."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.domain.errors import ConfigurationError
from models.domain.patch import COUNT_TO_DENSITY
from models.domain.verdict import Labels
from models.network import build_network
from models.preprocessing import share
from models.recipe import Recipe
from models.training_recipe import AugmentationRecipe
from models.views import SYMMETRIES, see
from pipelines.dataset.places import DefectPlaces
from pipelines.dataset.samples import DatasetKind
from pipelines.ingestion.wafer_maps import PointMap
from pipelines.training.augmentation import Augmenter
from pipelines.training.defects import Defects

LABELS = Labels(("a", "b", "none"), "none")
STILL = {"symmetries": False}


def wafer(n: int = 64, size: int = 32, seed: int = 0) -> torch.Tensor:
    """An inspected disc with something in every third pixel, and nothing outside."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.5, (n, size, size)) * rng.integers(1, 4, (n, size, size))
    line = torch.linspace(-1, 1, size)
    disc = torch.hypot(line[:, None], line[None]) <= 1
    density = torch.from_numpy(COUNT_TO_DENSITY[counts]) * disc
    return torch.stack([density, (disc * 255).to(torch.uint8).expand(n, -1, -1)], dim=-1)


def area(pixels: torch.Tensor) -> torch.Tensor:
    """Failed pixels of each patch, (N,)."""
    return share(pixels[..., 0]).sum((1, 2))


def one_hot(n: int, k: int = 0) -> torch.Tensor:
    return torch.eye(3)[[k] * n]


def augment(
    pixels: torch.Tensor,
    targets: torch.Tensor,
    kind: DatasetKind = DatasetKind.DIE_MAPS,
    seed: int = 0,
    **recipe: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    augmenter = Augmenter(AugmentationRecipe.model_validate(recipe), LABELS, kind)
    return augmenter(pixels, targets, torch.Generator().manual_seed(seed))


EVERYTHING = {
    "rotation": True, "shift": 0.03, "jitter": 0.02, "thin": 0.3, "thicken": 0.2, "noise": 0.2, "regrid": 0.5,
    "hide": 0.3, "mix": 0.5, "photometry": 0.7, "interpolate": True,
}  # fmt: skip


@pytest.mark.parametrize("kind", [DatasetKind.DIE_MAPS, DatasetKind.IMAGES])
def test_shape_and_dtype_stay_and_chance_follows_the_generator(kind: DatasetKind) -> None:
    pixels, targets = wafer(), one_hot(64)
    before = pixels.clone()
    first, _ = augment(pixels, targets, kind, seed=1, **EVERYTHING)
    assert first.shape == pixels.shape
    assert first.dtype == torch.uint8
    assert torch.equal(pixels, before), "the dataset itself must not change"
    assert torch.equal(first, augment(pixels, targets, kind, seed=1, **EVERYTHING)[0])
    assert not torch.equal(first, augment(pixels, targets, kind, seed=2, **EVERYTHING)[0])


def test_symmetries_are_exactly_the_eight_views() -> None:
    pixels = wafer(1).expand(400, -1, -1, -1)
    varied, _ = augment(pixels, one_hot(400))
    channels_first = pixels[0].permute(2, 0, 1)
    views = {see(channels_first, view).permute(1, 2, 0).contiguous().numpy().tobytes() for view in SYMMETRIES}
    found = {one.contiguous().numpy().tobytes() for one in varied}
    assert found == views


def test_directed_classes_keep_their_direction() -> None:
    pixels = wafer(200)
    targets = torch.eye(3)[[0, 1] * 100]
    varied, _ = augment(pixels, targets, directed=("b",), rotation=True)
    same = (varied == pixels).flatten(1).all(1)
    assert same[1::2].all()
    assert same[::2].float().mean() < 0.1


def test_a_directed_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="directed"):
        augment(wafer(1), one_hot(1), directed=("c",))


def test_points_without_their_places_are_refused() -> None:
    with pytest.raises(ValueError, match="with their places"):
        augment(wafer(1), one_hot(1), DatasetKind.POINTS)


def test_thickening_spreads_failures_to_what_lies_beside_them() -> None:
    pixels = torch.zeros(300, 16, 16, 2, dtype=torch.uint8)
    pixels[..., 1] = 255
    pixels[:, 4:12, 7, 0] = 255  # a line
    varied, _ = augment(pixels, one_hot(300), **STILL, thicken=0.5)
    assert (varied[:, 4:12, 7, 0] == 255).all()
    assert not varied[:, :, :6, 0].any()
    assert not varied[:, :, 9:, 0].any()
    beside = (varied[:, 3:13, 6, 0] == 255).float().mean(1)
    assert beside.max() < 0.9
    assert float(beside.mean()) == pytest.approx(0.25, abs=0.03)


def test_dies_fail_or_pass_as_a_whole() -> None:
    pixels = wafer(100)
    pixels[..., 0] = torch.where(pixels[..., 0] > 0, 255, 0).to(torch.uint8)
    varied, _ = augment(pixels, one_hot(100), DatasetKind.DIE_MAPS, **STILL, thin=0.3, noise=0.1)
    assert set(varied[..., 0].unique().tolist()) == {0, 255}
    assert not torch.equal(varied, pixels)


def test_nothing_is_found_where_nothing_was_inspected() -> None:
    varied, _ = augment(wafer(200), one_hot(200), DatasetKind.DIE_MAPS, **EVERYTHING)
    assert int(varied[..., 0][varied[..., 1] == 0].max()) == 0


def test_a_turned_die_map_shares_its_area_out_and_loses_none() -> None:
    pixels = torch.zeros(200, 32, 32, 2, dtype=torch.uint8)
    pixels[..., 1] = 255
    pixels[:, 10:22, 14:17, 0] = 255  # a bar of failed dies well inside: 36 pixels of area
    turned, _ = augment(pixels, one_hot(200), DatasetKind.DIE_MAPS, rotation=True, interpolate=True)
    assert area(turned).mean() == pytest.approx(36, rel=0.02)
    assert ((area(turned) - 36).abs() < 2).all(), "the nearest pixel alone would lose or double some"
    between = (turned[..., 0] > 0) & (turned[..., 0] < 255)
    assert between.flatten(1).any(1).float().mean() > 0.9


def test_quarter_turns_stay_exact_when_interpolated() -> None:
    pixels = wafer(100)
    plain, _ = augment(pixels, one_hot(100), DatasetKind.DIE_MAPS)
    smooth, _ = augment(pixels, one_hot(100), DatasetKind.DIE_MAPS, interpolate=True)
    assert (plain.int() - smooth.int()).abs().max() <= 1


def test_hidden_parts_are_marked_as_not_inspected() -> None:
    pixels = wafer(200)
    varied, _ = augment(pixels, one_hot(200), **STILL, hide=1.0)
    lost = (pixels[..., 1] > 0) & (varied[..., 1] == 0)
    share = lost.float().sum((1, 2)) / (pixels[..., 1] > 0).float().sum((1, 2))
    assert (share < 0.15).all()
    assert share.mean() > 0.02
    assert torch.equal(varied[~lost], pixels[~lost])


def test_coarser_dies_are_blocks() -> None:
    pixels = wafer(50)
    varied, _ = augment(pixels, one_hot(50), DatasetKind.DIE_MAPS, **STILL, regrid=1.0)
    same_below = (varied[:, 1:, :, 0] == varied[:, :-1, :, 0]).float().mean()
    assert same_below > (pixels[:, 1:, :, 0] == pixels[:, :-1, :, 0]).float().mean() + 0.1


def test_patterns_are_laid_on_normal_backgrounds_only() -> None:
    pixels = torch.zeros(60, 16, 16, 2, dtype=torch.uint8)
    pixels[..., 1] = 255
    pixels[:20, 2, 2, 0] = 255  # pattern a
    pixels[20:40, 5, 5, 0] = 255  # pattern b
    pixels[40:, 9, 9, 0] = 255  # background of normal wafers
    targets = torch.eye(3)[[0] * 20 + [1] * 20 + [2] * 20]
    varied, labels = augment(pixels, targets, DatasetKind.DIE_MAPS, **STILL, mix=1.0)
    assert torch.equal(labels, targets)
    assert (varied[:20, 2, 2, 0] == 255).all()
    assert (varied[:20, 9, 9, 0] == 255).all()
    assert not varied[:20, 5, 5, 0].any(), "another pattern would make the label false"


def test_where_several_labels_may_meet_their_union_is_taught() -> None:
    labels = Labels(("a", "b"), "normal", exclusive=False)
    augmenter = Augmenter(AugmentationRecipe(symmetries=False, mix=1.0), labels, DatasetKind.DIE_MAPS)
    pixels = torch.zeros(40, 8, 8, 2, dtype=torch.uint8)
    pixels[..., 1] = 255
    pixels[:20, 1, 1, 0] = 255
    pixels[20:, 6, 6, 0] = 255
    targets = torch.eye(2)[[0] * 20 + [1] * 20]
    varied, union = augmenter(pixels, targets, torch.Generator().manual_seed(0))
    assert torch.equal(union[:, 0] > 0, varied[:, 1, 1, 0] > 0)
    assert torch.equal(union[:, 1] > 0, varied[:, 6, 6, 0] > 0)
    assert (union.sum(1) == 2).any()


def test_objects_are_laid_on_other_ground() -> None:
    pixels = torch.zeros(60, 24, 24, 3, dtype=torch.uint8)
    pixels[:40] = 200  # objects
    pixels[40:] = torch.arange(20, dtype=torch.uint8)[:, None, None, None]  # ground, twenty kinds
    targets = torch.eye(3)[[0] * 20 + [1] * 20 + [2] * 20]
    varied, labels = augment(pixels, targets, DatasetKind.IMAGES, **STILL, mix=1.0)
    assert torch.equal(labels, targets)
    assert (varied[:40, 9:15, 9:15] == 200).all()
    assert (varied[:, 0, 0] < 20).all(), "an object's own corner, or another object's, would be brighter"
    assert len(varied[:40, 0, 0, 0].unique()) > 5
    assert torch.equal(augment(pixels, targets, DatasetKind.IMAGES, **STILL)[0], pixels)


def test_light_changes_brightness_not_geometry() -> None:
    pixels = (torch.rand(32, 24, 24, 3, generator=torch.Generator().manual_seed(0)) * 200 + 20).to(torch.uint8)
    varied, _ = augment(pixels, one_hot(32), DatasetKind.IMAGES, **STILL, photometry=0.5)
    assert not torch.equal(varied, pixels)
    means = varied.float().mean((1, 2, 3)) / pixels.float().mean((1, 2, 3))
    assert means.std() > 0.05
    flat = [
        torch.corrcoef(torch.stack([a.flatten().float(), b.flatten().float()]))[0, 1]
        for a, b in zip(pixels, varied, strict=True)
    ]
    assert min(flat) > 0.6


def points(n: int = 64) -> tuple[torch.Tensor, DefectPlaces]:
    """Wafers of a thousand to ten thousand defects."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1e5, 1e5, (n, 2, 10_000)).astype(np.float32)
    wafers = [PointMap(*one[:, : round(10 ** rng.uniform(3, 4))], 3e5) for one in places]
    return wafer(n, 64), DefectPlaces.of(wafers, 64)


@pytest.mark.parametrize("kind", [DatasetKind.DIE_MAPS, DatasetKind.POINTS])
def test_costs_at_most_a_tenth_of_a_training_step(kind: DatasetKind) -> None:
    recipe = Recipe.parse({"name": "x"}, "test")
    network = build_network(recipe, 3).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels, places = points()
    augmenter = Augmenter(AugmentationRecipe(rotation=True, thin=0.1, noise=0.05, regrid=0.3), LABELS, kind)
    generator = torch.Generator().manual_seed(0)

    def augmentation() -> None:
        defects = Defects.of(places.only(np.arange(64)), pixels.device) if kind is DatasetKind.POINTS else None
        augmenter(pixels, one_hot(64), generator, defects)

    def seconds(action: Callable[[], object]) -> float:
        times = []
        for _ in range(5):
            began = time.process_time()
            action()
            times.append(time.process_time() - began)
        return min(times)

    def step() -> None:
        network(torch.rand(64, 2, 64, 64)).logits.sum().backward()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # waiting threads would count as computing ones
    try:
        assert seconds(augmentation) < 0.1 * seconds(step)
    finally:
        torch.set_num_threads(threads)
