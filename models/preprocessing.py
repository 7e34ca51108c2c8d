"""Pixels to numbers: uint8 patches become normalised floats, on the device that holds them."""

import math

import torch
from torch import Tensor, nn

from models.domain.errors import ConfigurationError
from models.domain.patch import DENSITY_FULL
from models.recipe import PreprocessingRecipe


class Preprocessing(nn.Module):
    """(value / 255 - mean) / std per channel, then the linear share and the radius where the recipe asks for them.

    The numbers are buffers, so `.to(device)` moves them once; they are no weights and are not saved as such.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, recipe: PreprocessingRecipe, channels: int) -> None:
        """Turn mean and standard deviation into one multiplication and one addition.

        Args:
            recipe: mean, std, share, radius.
            channels: of the pixels.
        """
        super().__init__()
        mean = torch.tensor(recipe.mean, dtype=torch.float32).expand(channels)
        std = torch.tensor(recipe.std, dtype=torch.float32).expand(channels)
        self.channels = channels
        self.radius = recipe.radius
        self.share = recipe.share
        self.register_buffer("scale", (1 / (255 * std)).view(1, channels, 1, 1), persistent=False)
        self.register_buffer("offset", (-mean / std).view(1, channels, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise.

        Args:
            pixels: uint8 (N, H, W, C).

        Returns:
            float32 (N, C + extra, H, W), channels last in memory; extra as the recipe adds share and radius.

        Raises:
            ConfigurationError: another dtype or shape.
        """
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[3] != self.channels:
            raise ConfigurationError(
                "patches do not fit the recipe",
                expected=f"uint8 (N, height, width, {self.channels})",
                got=f"{pixels.dtype} {tuple(pixels.shape)}",
            )
        # a permuted (N, H, W, C) array is a channels-last (N, C, H, W) one: nothing is copied
        normalised = torch.addcmul(self.offset, pixels.permute(0, 3, 1, 2).to(self.scale.dtype), self.scale)
        channels = [normalised]
        count, _, height, width = normalised.shape
        if self.share:
            channels.append(share(pixels[..., 0]).unsqueeze(1).to(normalised))
        if self.radius:
            channels.append(radius(height, width).to(normalised).expand(count, 1, height, width))
        if len(channels) == 1:
            return normalised
        return torch.cat(channels, dim=1).contiguous(memory_format=torch.channels_last)


def share(density: Tensor) -> Tensor:
    """Undo the log scale of a wafer's channel 0: float32 of the same shape, 0 for no defect, 1 for the full scale.

    For a die map this is the failed share of the pixel's area, within 3 % of itself: the step between two bytes.
    """
    return torch.expm1(density.float() * (math.log1p(DENSITY_FULL) / 255)) / DENSITY_FULL


def radius(height: int, width: int) -> Tensor:
    """Distance of each pixel from the centre, float32 (height, width): 0 in the middle, 1 at the middle of an edge."""
    rows = (torch.arange(height) + 0.5) * 2 / height - 1
    columns = (torch.arange(width) + 0.5) * 2 / width - 1
    return torch.hypot(rows[:, None], columns[None, :])


def input_channels(recipe: PreprocessingRecipe, channels: int) -> int:
    """Channels the network sees of patches with `channels`."""
    return channels + int(recipe.share) + int(recipe.radius)
