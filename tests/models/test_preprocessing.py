"""Pixels to numbers."""

import pytest
import torch

from models.domain.errors import ConfigurationError
from models.preprocessing import Preprocessing, input_channels, radius
from models.recipe import PreprocessingRecipe


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
