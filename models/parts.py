"""What a network without its head consists of."""

from dataclasses import dataclass

from torch import nn

from models.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Parts:
    """features: (N, C, H, W) → (N, F, h, w); embed: that map → (N, width)."""

    features: nn.Module
    embed: nn.Module
    width: int


def too_small(name: str, tile: int) -> ConfigurationError:
    """The error for a tile of which a network's poolings leave nothing."""
    return ConfigurationError(
        "tile is too small for the network",
        where=f"recipe.network: {name}",
        got=f"tile {tile}",
        remedy="take a larger tile, fewer widths or convolutions, or padding: same",
    )
