"""What a wafer's pattern looks like, in numbers that turning and mirroring leave alone; nothing is learned.

A network trained to tell known patterns apart is blind to whatever does not help with that, so a stranger may look
like a friend. These numbers describe any pattern: how much failed, at which radius, how unevenly along the angle, how
densely in the densest places, how much to one side, in how large and how long patches.

    rate        logarithm of the failed share of what was inspected                                 1
    rings       failed share in rings of equal width and its angular spectrum                       97
    places      quantiles of the failed share, blurred three ways                                   15
    shadows     largest value and spread of the projections, over the angles (Radon)                6
    patches     the largest connected patch: its share, place, length and width; how many there are 14
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from models.preprocessing import share

LENGTH = 133
"""Numbers that describe a wafer."""
RINGS, SECTORS, HARMONICS = 10, 32, 8
ANGLES, OFFSETS = 12, 32
BLURS = (1, 2, 4)
_FAILED = 0.5
"""Failed share from which on a pixel belongs to a patch."""
_AT_ONCE = 256


def describe(pixels: Tensor) -> Tensor:
    """Describe whole wafers.

    Args:
        pixels: uint8 (N, S, S, 2): failed share or defect density on a log scale, and inspected share.

    Returns:
        float32 (N, 133), on the device of the pixels, finite.
    """
    if not len(pixels):
        return torch.empty(0, LENGTH, device=pixels.device)
    return torch.cat([_describe(part) for part in torch.split(pixels, _AT_ONCE)])


def _describe(pixels: Tensor) -> Tensor:
    failed, inspected = share(pixels[..., 0]).clamp(0, 1), pixels[..., 1].float() / 255
    flat, whole = failed.flatten(1), inspected.flatten(1)
    rate = (flat.sum(1) / whole.sum(1).clamp_min(1)).clamp(1e-4, 1)
    places = _places(pixels.shape[1], pixels.device)
    numbers = torch.cat(
        [
            rate.log()[:, None],
            _rings(flat, whole, rate, places),
            _crowded(failed, inspected),
            _shadows(flat, whole, rate, places),
            torch.from_numpy(_patches(failed.cpu().numpy(), inspected.cpu().numpy())).to(failed),
        ],
        dim=1,
    )
    # shares and counts pile up near zero: roots spread them
    return numbers.sign() * numbers.abs().sqrt()


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """What the pixels of a wafer of one size belong to.

    Attributes:
        cells: (S · S, rings · sectors), 1 where the pixel lies in the cell.
        shadows: (angles, S · S, offsets), 1 where the pixel falls on that offset when seen from that angle.
    """

    cells: Tensor
    shadows: Tensor


@lru_cache(maxsize=4)
def _places(side: int, device: torch.device) -> _Places:
    line = (np.arange(side) + 0.5) * 2 / side - 1
    y, x = (axis.ravel() for axis in np.meshgrid(line, line, indexing="ij"))
    radius = np.hypot(x, y)
    # axes and diagonals lie in the middle of sectors, so that turned and mirrored pixels fall into turned sectors
    sector = np.round(np.arctan2(y, x) / (2 * np.pi) * SECTORS).astype(int) % SECTORS
    cell = np.minimum((radius * RINGS).astype(int), RINGS - 1) * SECTORS + sector
    cells = np.eye(RINGS * SECTORS)[cell] * (radius < 1 + 1 / side)[:, None]
    angles = np.arange(ANGLES) * np.pi / ANGLES
    offset = ((np.cos(angles)[:, None] * x + np.sin(angles)[:, None] * y + 1) * (OFFSETS / 2)).astype(int)
    shadows = np.eye(OFFSETS)[offset.clip(0, OFFSETS - 1)]
    return _Places(*(torch.from_numpy(array).float().to(device) for array in (cells, shadows)))


def _rings(failed: Tensor, inspected: Tensor, rate: Tensor, places: _Places) -> Tensor:
    """(N, 97): mean of each ring, the same without the wafer's own, harmonics 1 to 7 of each ring and their means."""
    count = len(failed)
    hits, seen = (values @ places.cells for values in (failed, inspected))
    # half an inspected pixel at the wafer's rate keeps empty cells quiet
    cells = torch.sqrt((hits + rate[:, None] / 2) / (seen + 0.5)).view(count, RINGS, SECTORS)
    spectrum = torch.fft.rfft(cells, dim=2).abs()[..., :HARMONICS] / SECTORS
    mean, uneven = spectrum[..., 0], spectrum[..., 1:]
    return torch.cat([mean, mean - mean.mean(1, keepdim=True), uneven.flatten(1), uneven.mean(1)], dim=1)


def _crowded(failed: Tensor, inspected: Tensor) -> Tensor:
    """(N, 15): how densely the densest places failed, at three sizes of a place."""
    levels = torch.tensor([0.5, 0.75, 0.9, 0.97, 0.995], device=failed.device)
    found = []
    for sigma in BLURS:
        density = (_blurred(failed, sigma) / (_blurred(inspected, sigma) + 0.05)) * (inspected > _FAILED)
        found.append(torch.quantile(density.flatten(1), levels, dim=1).T)
    return torch.cat(found, dim=1).sqrt()


def _blurred(values: Tensor, sigma: int) -> Tensor:
    """Gaussian blur of (N, S, S), nothing beyond the edge; as matrices, for a convolution of one channel is slow."""
    place = torch.arange(values.shape[1], device=values.device)
    weight: Tensor = torch.exp(-(((place[:, None] - place) / sigma) ** 2) / 2)
    weight = weight / (sigma * (2 * torch.pi) ** 0.5)
    blurred: Tensor = weight @ values @ weight
    return blurred


def _shadows(failed: Tensor, inspected: Tensor, rate: Tensor, places: _Places) -> Tensor:
    """(N, 6): largest value and spread of the projections, each as largest, mean and spread over the angles."""
    hits, seen = (torch.einsum("np,apo->nao", values, places.shadows) for values in (failed, inspected))
    projected = (hits + 4 * rate[:, None, None]) / (seen + 4)
    each = torch.stack([projected.amax(2), projected.std(2)], dim=2)
    return torch.cat([each.amax(1), each.mean(1), each.std(1)], dim=1).sqrt()


def _patches(failed: NDArray[np.float32], inspected: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 14): number and shares of connected patches; place, size and form of the largest."""
    side = failed.shape[1]
    line = (np.arange(side) + 0.5) * 2 / side - 1
    y, x = np.meshgrid(line, line, indexing="ij")
    found = np.zeros((len(failed), 14), np.float32)
    for row, (hits, seen) in enumerate(zip(failed > _FAILED, inspected > _FAILED, strict=True)):
        labels, count = ndimage.label(hits, np.ones((3, 3)))
        if not count:
            continue
        sizes = np.sort(np.bincount(labels.ravel())[1:])[::-1]
        largest = labels == np.bincount(labels.ravel())[1:].argmax() + 1
        own, total = int(sizes[0]), max(int(seen.sum()), 1)
        px, py = x[largest], y[largest]
        radius, angle = np.hypot(px, py), np.arctan2(py, px)
        spread = np.cov(px, py, bias=True) + np.eye(2) * 1e-4
        width, length = np.sqrt(np.linalg.eigvalsh(spread))
        found[row] = (
            np.log1p(count),
            hits.sum() / total,
            own / total,
            sizes[1] / total if count > 1 else 0,
            own / hits.sum(),
            np.hypot(px.mean(), py.mean()),
            length,
            width,
            width / length,
            radius.mean(),
            radius.std(),
            np.hypot(np.cos(angle).mean(), np.sin(angle).mean()),
            # how full its ellipse is
            own * (2 / side) ** 2 / (4 * np.pi * width * length + 4 / side**2),
            radius.max(),
        )
    return found
