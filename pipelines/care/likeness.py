"""How alike patches are: low frequencies to find candidates fast, all pixels to be sure. Pure functions.

Equal bytes are found by hash. A wafer measured twice, or a picture made of another by a generator, has other bytes and
is the same answer all the same: it is found here, whatever its file, lot or label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

Floats = NDArray[np.float32]

SAME = 0.98
"""Correlation of all pixels from which two patches count as the same picture: lots' own noise stays below it."""
_SIDE = 32
_FREQUENCIES = 12
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Pair:
    """Two patches that are nearly the same.

    Attributes:
        one: row in the first set.
        other: row in the second set.
        correlation: of their pixels, -1..1.
    """

    one: int
    other: int
    correlation: float


def embed(pixels: NDArray[np.uint8]) -> Floats:
    """Low-frequency cosine coefficients of what a patch shows, of length 1: (N, H, W, C) → float32 (N, D).

    The mean is left out, so a patch without anything on it is the zero vector and like nothing.
    """
    parts = []
    for begin in range(0, len(pixels), _AT_ONCE):
        shown = _shown(pixels[begin : begin + _AT_ONCE])
        waves = dctn(_reduced(shown), axes=(1, 2), norm="ortho")[:, :_FREQUENCIES, :_FREQUENCIES]
        flat = waves.reshape(len(waves), -1)[:, 1:]
        parts.append(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
    return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, _FREQUENCIES**2 - 1), np.float32)


def near_pairs(
    one: NDArray[np.uint8],
    other: NDArray[np.uint8],
    vectors: tuple[Floats, Floats] | None = None,
    *,
    same: float = SAME,
) -> list[Pair]:
    """For each patch of the first set the patch of the second that is nearly the same, if there is one.

    Args:
        one: uint8 (N, H, W, C).
        other: uint8 (M, H, W, C).
        vectors: embeddings of both, rows of length 1; None = `embed`.
        same: correlation of pixels from which two are the same.
    """
    if not len(one) or not len(other):
        return []
    asked, known = vectors or (embed(one), embed(other))
    found = []
    for begin in range(0, len(asked), _AT_ONCE):
        likeness = asked[begin : begin + _AT_ONCE] @ known.T
        # A picture that is the same to 0.98 in all pixels can only be closer in the few low frequencies.
        nearest = likeness.argmax(1)
        for row in np.flatnonzero(likeness[np.arange(len(nearest)), nearest] >= same):
            place = begin + int(row)
            alike = correlation(one[place], other[nearest[row]])
            if alike >= same:
                found.append(Pair(place, int(nearest[row]), alike))
    return found


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Pearson correlation of what two patches show; 0 where one of them shows nothing."""
    a, b = (_shown(picture[None])[0].ravel() for picture in (one, other))
    a, b = a - a.mean(), b - b.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0


def _shown(pixels: NDArray[np.uint8]) -> Floats:
    """Defects of a wafer (its first of two channels), the grey tone of a picture: float32 (N, H, W)."""
    channels = pixels[..., :1] if pixels.shape[3] == 2 else pixels
    grey: Floats = channels.mean(3, dtype=np.float32)
    return grey


def _reduced(shown: Floats) -> Floats:
    """Means over blocks: at most 32 pixels a side."""
    n, side, _ = shown.shape
    block = -(-side // _SIDE)
    cells = side // block
    whole = shown[:, : cells * block, : cells * block].reshape(n, cells, block, cells, block)
    return np.asarray(whole.mean((2, 4)), dtype=np.float32)
