"""Pixels to numbers."""

import math

import numpy as np
import pytest
import torch

from models.domain.errors import ConfigurationError
from models.domain.patch import DENSITY_FULL
from models.preprocessing import Preprocessing, input_channels, radius, share
from models.recipe import PreprocessingRecipe
from pipelines.ingestion.rendering import render_die_maps


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    preprocessing = Preprocessing(PreprocessingRecipe(mean=(0.0, 0.5), std=(1.0, 0.25)), channels=2)
    pixels = torch.zeros(1, 3, 4, 2, dtype=torch.uint8)
    pixels[0, 1, 2] = torch.tensor([255, 51])
    result = preprocessing(pixels)
    assert result.shape == (1, 2, 3, 4)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result[0, :, 1, 2], torch.tensor([1.0, (0.2 - 0.5) / 0.25]))
    torch.testing.assert_close(result[0, :, 0, 0], torch.tensor([0.0, -2.0]))


@pytest.mark.parametrize("with_radius", [False, True])
def test_the_result_is_channels_last(with_radius: bool) -> None:
    preprocessing = Preprocessing(PreprocessingRecipe(radius=with_radius), channels=2)
    result = preprocessing(torch.zeros(2, 8, 8, 2, dtype=torch.uint8))
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_the_radius_is_an_extra_channel_that_turning_leaves_alone() -> None:
    recipe = PreprocessingRecipe(radius=True)
    assert input_channels(recipe, 2) == 3
    result = Preprocessing(recipe, channels=2)(torch.zeros(2, 8, 8, 2, dtype=torch.uint8))
    assert result.shape == (2, 3, 8, 8)
    torch.testing.assert_close(result[0, 2], radius(8, 8))
    torch.testing.assert_close(radius(8, 8).rot90(), radius(8, 8))
    assert radius(9, 9)[4, 4] == 0
    assert radius(64, 64).max() == pytest.approx(2**0.5, abs=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(1, 8, 8, 3, dtype=torch.uint8),
        torch.zeros(1, 8, 8, 2),
        torch.zeros(8, 8, 2, dtype=torch.uint8),
    ],
)
def test_other_patches_are_refused(wrong: torch.Tensor) -> None:
    with pytest.raises(ConfigurationError, match="patches do not fit"):
        Preprocessing(PreprocessingRecipe(), channels=2)(wrong)


def test_nothing_of_it_is_a_weight() -> None:
    assert not Preprocessing(PreprocessingRecipe(), channels=2).state_dict()


def test_the_linear_share_undoes_the_renderers_log_scale() -> None:
    # twelve dies of which three failed, in one pixel each: the renderer's own bytes
    states = np.array([[1, 1, 2, 1], [2, 1, 1, 1], [1, 1, 1, 2]], np.uint8)
    pixels = torch.from_numpy(render_die_maps([states], size=16))
    result = Preprocessing(PreprocessingRecipe(share=True), channels=2)(pixels)
    assert result.shape == (1, 3, 16, 16)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert float(result[0, 2].mean()) == pytest.approx(3 / 12, rel=0.03)
    torch.testing.assert_close(result[:, :2], Preprocessing(PreprocessingRecipe(), channels=2)(pixels))


def test_every_share_survives_the_way_through_a_byte() -> None:
    failed = torch.linspace(0, 1, 1000)
    byte = (torch.log1p(failed * DENSITY_FULL) * 255 / math.log1p(DENSITY_FULL)).round().to(torch.uint8)
    torch.testing.assert_close(share(byte), failed, rtol=0.015, atol=0.5 / DENSITY_FULL)


def test_share_and_radius_stand_after_the_pixels_own_channels() -> None:
    both = PreprocessingRecipe(share=True, radius=True)
    pixels = torch.full((1, 4, 4, 2), 255, dtype=torch.uint8)
    result = Preprocessing(both, channels=2)(pixels)
    assert input_channels(both, 2) == result.shape[1] == 4
    assert (result[0, 2] == 1).all()
    torch.testing.assert_close(result[0, 3], radius(4, 4))
