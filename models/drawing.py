"""Wafers drawn where they are looked at: the places of defects become density on the tensors' own device.

The same as `models.domain.patch.Scene.drawn`, byte for byte, for many windows at once; and what training draws with
after it moved the defects.
"""

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from models.domain.patch import COUNT_TO_DENSITY, DENSITY_FULL
from models.domain.scenes import Patches, Scenes


def density(pixel: Tensor, defects: Tensor, pixels: int) -> Tensor:
    """Density on a log scale, uint8 (pixels,).

    Args:
        pixel: int64 (D,), which of the pixels something lies in.
        defects: int32 (D,), how many defects it is.
        pixels: how many there are.
    """
    # Whole numbers: the sum is the same in whatever order a device adds.
    counts = torch.zeros(pixels, dtype=torch.int32, device=pixel.device).scatter_add_(0, pixel, defects)
    table = torch.tensor(COUNT_TO_DENSITY, device=pixel.device)
    return table.index_select(0, counts.clamp_(max=DENSITY_FULL))


def drawn(patches: Patches, to_device: Callable[[NDArray[Any]], Tensor]) -> Tensor:
    """Pixels on a device, uint8 (N, H, W, C); scenes cross to it as they are.

    Args:
        patches: pixels or scenes.
        to_device: copies an array there.
    """
    if not isinstance(patches, Scenes):
        return to_device(patches)
    count, height, width, channels = patches.shape
    size = height * width
    place, defects = to_device(patches.place), to_device(patches.defects)
    share, length = to_device(patches.share), to_device(patches.length)
    windows = torch.arange(count, device=place.device).mul_(size)
    # told how long they become, the device need not be waited for
    first = torch.repeat_interleave(windows, defects, output_size=len(patches.place))
    found = density(first + place, torch.ones_like(first, dtype=torch.int32), count * size)
    looked = torch.repeat_interleave(share, length.int(), output_size=count * size)
    return torch.stack([found, looked], dim=-1).view(count, height, width, channels)
