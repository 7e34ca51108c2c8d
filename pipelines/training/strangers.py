"""Strangers made of known patches: what belongs to no class, so that the network learns to believe nothing of it.

Outlier exposure (Hendrycks, Mazeika and Dietterich, ICLR 2019) with outliers made from the batch itself: two patterns
in parts of one patch, two patterns on top of each other, or one pattern with its parts in the wrong places. A normal
patch stays normal however it is cut, so only patches of patterns are used. No real unknown pattern is ever seen.
"""

import torch
from torch import Generator, Tensor

from models.domain.verdict import Labels


def with_strangers(
    pixels: Tensor, targets: Tensor, labels: Labels, share: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Append strangers to a batch, as many as `share` of it, each equally likely to be any class.

    Args:
        pixels: uint8 or float (N, H, W, C).
        targets: float (N, K), one class per patch (labels are exclusive).
        labels: names the normal class.
        share: strangers per patch, 0..1.
        generator: on the device of the pixels.
    """
    count = round(share * len(pixels))
    pattern = targets.argmax(1)
    usable = torch.ones_like(pattern, dtype=torch.bool)
    if labels.normal in labels.names:
        usable = pattern != labels.names.index(labels.normal)
    known = usable.nonzero().squeeze(1)
    if count == 0 or len(known) < 2:
        return pixels, targets
    first = known[_rand(count, known, generator).mul(len(known)).long()]
    second = known[_rand(count, known, generator).mul(len(known)).long()]
    different = pattern[first] != pattern[second]
    made = torch.where(
        different[:, None, None, None],
        _together(pixels[first], pixels[second], generator),
        _misplaced(pixels[first], generator),
    )
    nothing = targets.new_full((count, targets.shape[1]), 1 / targets.shape[1])
    return torch.cat([pixels, made]), torch.cat([targets, nothing])


def _together(one: Tensor, other: Tensor, generator: Generator) -> Tensor:
    """Two patterns: half of them share the patch along a line through its middle, the others lie on each other."""
    count, height, width, _ = one.shape
    angle = _rand(count, one, generator)[:, None, None] * 2 * torch.pi
    rows = torch.linspace(-1, 1, height, device=one.device)[None, :, None]
    columns = torch.linspace(-1, 1, width, device=one.device)[None, None, :]
    side = (rows * angle.sin() + columns * angle.cos() > 0)[..., None]
    shared = torch.where(side, one, other)
    stacked = torch.maximum(one, other)
    return torch.where((_rand(count, one, generator) < 0.5)[:, None, None, None], shared, stacked)


def _misplaced(one: Tensor, generator: Generator) -> Tensor:
    """The four quarters (or sixteen sixteenths) of each patch in random order."""
    count, height, width, channels = one.shape
    parts = 2 if float(_rand(1, one, generator)) < 0.5 else 4
    high, wide = height // parts, width // parts
    cells = one[:, : high * parts, : wide * parts].reshape(count, parts, high, parts, wide, channels)
    cells = cells.permute(0, 1, 3, 2, 4, 5).reshape(count, parts * parts, high, wide, channels)
    order = torch.rand(count, parts * parts, generator=generator, device=one.device).argsort(1)
    moved = cells[torch.arange(count, device=one.device)[:, None], order]
    moved = moved.reshape(count, parts, parts, high, wide, channels).permute(0, 1, 3, 2, 4, 5)
    result = one.clone()
    result[:, : high * parts, : wide * parts] = moved.reshape(count, high * parts, wide * parts, channels)
    return result


def _rand(count: int, like: Tensor, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=like.device)
