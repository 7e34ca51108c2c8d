"""The shape of a pattern, described so that turning and mirroring the capture leave the description alone.

The picture is cut into rings; within a ring the density along the angle is replaced by the magnitudes of its first
Fourier coefficients, which do not change when it is turned or mirrored. The rings keep where something is, the
harmonics keep what form it has. A network's embedding tells strangers apart by what they share with known classes; this
tells them apart by themselves.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RINGS = 10
SECTORS = 48
HARMONICS = 9
LOG_SCALE = float(np.log(1024))
"""Undoes the log scale of a wafer's density: a pixel full of defects outweighs a hundred with one each."""


def shape_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the first channel of a square picture.

    Args:
        pixels: uint8 (N, N, C).

    Returns:
        float32 (90,) of length one; zeros for an even picture.
    """
    cell, area = _cells(len(pixels))
    density = np.expm1(pixels[:, :, 0] * (LOG_SCALE / 255)).ravel()
    means = (np.bincount(cell, density, minlength=RINGS * SECTORS) / area).reshape(RINGS, SECTORS)
    spectrum = np.abs(np.fft.rfft(means, axis=1))[:, :HARMONICS]
    spectrum[:, 0] -= spectrum[:, 0].mean()
    spectrum[:, 0] /= np.sqrt(SECTORS)
    flat = spectrum.ravel()
    length = float(np.linalg.norm(flat))
    return (flat / length if length > 1e-9 else np.zeros_like(flat)).astype(np.float32)


@lru_cache(maxsize=8)
def _cells(side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ring and sector of each pixel as one number, (N²,), and how many pixels each has, (480,), at least 1."""
    place = (np.arange(side) + 0.5) / side * 2 - 1
    v, u = np.meshgrid(place, place, indexing="ij")
    # Rings of equal area: an even background is even in every ring. Corners count to the last one.
    ring = np.minimum((u * u + v * v) * RINGS, RINGS - 1).astype(np.int64)
    sector = ((np.arctan2(v, u) / (2 * np.pi) + 0.5) * SECTORS).astype(np.int64) % SECTORS
    cell = (ring * SECTORS + sector).ravel()
    return cell, np.maximum(np.bincount(cell, minlength=RINGS * SECTORS), 1)
