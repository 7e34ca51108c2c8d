"""Hand-crafted features of patches, as the field used before networks: a baseline must be a serious one.

After Wu, Jang and Chen (IEEE TSM 28(1), 2015), who described WM-811K by densities, the geometry of the largest region
and the Radon transform. All features but the colours are the same for a turned or mirrored patch, because in WM-811K
an absolute angle means nothing.

    density      of the patch, its inner and outer half, and its spread
    rings        density in rings of equal width around the centre                       (radial histogram)
    waves        strength of 1 to 6 bumps around the centre, inner and outer half        (angular histogram, Fourier)
    region       area, place, elongation, solidity and rim share of the largest region   (geometry)
    projections  mean and spread over the angles of the Radon transform, by offset
    colours      means, spreads and histograms, of pictures alone
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import ConvexHull, QhullError

from models.preprocessing import share
from pipelines.benchmark.neighbours import reduced
from pipelines.dataset.patches import PatchSet

Floats = NDArray[np.float32]

_RINGS = 12
_SECTORS = 24
_WAVES = 6
_ANGLES = 18
_OFFSETS = 12
_AT_ONCE = 4096


def features(patches: PatchSet) -> Floats:
    """Features of all patches, (N, D); patches of two channels are wafers, all others pictures."""
    parts = []
    for begin in range(0, len(patches), _AT_ONCE):
        pixels = patches.pixels[begin : begin + _AT_ONCE]
        wafers = pixels.shape[3] == 2
        marked = _failed(pixels) if wafers else _standing_out(pixels)
        found = [_densities(marked), _waves(marked), _projections(marked), _regions(marked)]
        parts.append(np.concatenate(found if wafers else [*found, _colours(pixels)], axis=1))
    return np.concatenate(parts)


def _failed(pixels: NDArray[np.uint8]) -> Floats:
    """Failed share of each pixel of a wafer, (N, S, S), at most 32 pixels a side."""
    density = torch.from_numpy(np.ascontiguousarray(pixels[..., 0]))
    failed: Floats = reduced(share(density).numpy()[..., None])[..., 0]
    return failed


def _standing_out(pixels: NDArray[np.uint8]) -> Floats:
    """How far each pixel of a picture is from the picture's own middle tone, (N, S, S), at most 32 pixels a side."""
    grey = reduced(pixels.astype(np.float32) / 255).mean(3)
    apart: Floats = np.abs(grey - np.median(grey, axis=(1, 2), keepdims=True)).astype(np.float32)
    return apart


def _polar(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radius (1 at the middle of an edge) and angle in 0..1 of each pixel, (S·S,) each."""
    line = (np.arange(side) + 0.5) * 2 / side - 1
    rows, columns = (axis.ravel() for axis in np.meshgrid(line, line, indexing="ij"))
    return np.hypot(rows, columns), np.arctan2(rows, columns) / (2 * np.pi) % 1


def _densities(marked: Floats) -> Floats:
    """Of the whole, of both halves, of the rings; and how unevenly the defects lie, (N, 4 + rings)."""
    flat = marked.reshape(len(marked), -1)
    radius, _ = _polar(marked.shape[1])
    rings = _means(flat, np.where(radius < 1, radius * _RINGS, -1).astype(int), _RINGS)
    halves = _means(flat, np.where(radius < 1, radius * 2, -1).astype(int), 2)
    return np.column_stack([flat.mean(1), halves, flat.std(1), rings]).astype(np.float32)


def _waves(marked: Floats) -> Floats:
    """Fourier amplitudes of the angular histogram, (N, 2 · waves): they stay the same when a wafer is turned."""
    flat = marked.reshape(len(marked), -1)
    radius, angle = _polar(marked.shape[1])
    sector = (angle * _SECTORS + 0.5).astype(int) % _SECTORS  # no border along the diagonals, where pixels lie
    found = []
    for half in (radius < 0.6, (radius >= 0.6) & (radius <= 1)):
        around = _means(flat, np.where(half, sector, -1), _SECTORS)
        found.append(np.abs(np.fft.rfft(around, axis=1))[:, 1 : _WAVES + 1] / _SECTORS)
    return np.concatenate(found, axis=1).astype(np.float32)


def _means(flat: Floats, place: NDArray[np.int64], places: int) -> Floats:
    """Mean over the pixels of each place, (N, places); 0 where a coarse patch has none there, -1 is nowhere."""
    member = (place[:, None] == np.arange(places)).astype(np.float32)
    means: Floats = flat @ (member / np.maximum(member.sum(0), 1))
    return means


def _projections(marked: Floats) -> Floats:
    """Radon transform: at each offset the mean over the angles and the spread, then the sharpest, (N, 2 · offsets + 2).

    A scratch seen along its direction is a peak, seen across it is spread out: the spread over the angles is large.
    """
    side = marked.shape[1]
    turned = (_radon(side) @ marked.reshape(len(marked), -1).T).T.reshape(len(marked), _ANGLES, _OFFSETS)
    sharpness = turned.std(2)
    ends = [sharpness.max(1), sharpness.min(1)]
    return np.column_stack([turned.mean(1), turned.std(1), *ends]).astype(np.float32)


def _radon(side: int) -> sparse.csr_array:
    """The transform as a matrix (angles · offsets, S·S): each pixel falls into one offset at each angle.

    Offsets count from the centre to either side, so that a turned or mirrored patch has the same ones.
    """
    radius, angle = _polar(side)
    inside = np.flatnonzero(radius <= 1)
    rows = []
    for number in range(_ANGLES):
        across = radius[inside] * np.cos(2 * np.pi * angle[inside] - np.pi * number / _ANGLES)
        rows.append(number * _OFFSETS + np.minimum((np.abs(across) * _OFFSETS).astype(int), _OFFSETS - 1))
    place = (np.concatenate(rows), np.tile(inside, _ANGLES))
    weight = np.full(len(place[0]), 1 / side, np.float32)
    return sparse.csr_array((weight, place), shape=(_ANGLES * _OFFSETS, side * side))


def _regions(marked: Floats) -> Floats:
    """Geometry of the largest region of each patch that is denser than its surroundings, (N, 9)."""
    smooth = ndimage.uniform_filter(marked, size=(0, 3, 3), mode="constant")
    limit = smooth.mean((1, 2)) + smooth.std((1, 2))
    return np.stack([_region(one > at) for one, at in zip(smooth, limit, strict=True)])


def _region(inside: NDArray[np.bool_]) -> Floats:
    """Regions, area, share of all marked, radius of the middle, two axes, elongation, solidity, share at the rim."""
    labelled, count = ndimage.label(inside, structure=np.ones((3, 3)))
    if not count:
        return np.zeros(9, np.float32)
    sizes = np.bincount(labelled.ravel())[1:]
    places = np.argwhere(labelled == 1 + int(sizes.argmax())).astype(np.float64)
    side = len(inside)
    around = (places + 0.5) * 2 / side - 1
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(around.T)) if len(around) > 1 else np.zeros(2), 0))
    long, short = float(spread[1]), float(spread[0])
    area = len(places) / side**2
    return np.array(
        [
            count,
            area,
            len(places) / sizes.sum(),
            np.hypot(*around.mean(0)),
            long,
            short,
            1 - short / max(long, 1e-6),
            area / max(_hull(places) / side**2, area),
            (np.hypot(*around.T) > 0.85).mean(),
        ],
        np.float32,
    )


def _hull(places: NDArray[np.float64]) -> float:
    """Area of the convex hull of some pixels; their number where they lie on one line."""
    corners = (places[:, None] + np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])).reshape(-1, 2)
    try:
        return float(ConvexHull(corners).volume)
    except QhullError:
        return float(len(places))


def _colours(pixels: NDArray[np.uint8]) -> Floats:
    """Mean, spread and eight-bin histogram of every channel, (N, 10 C)."""
    flat = pixels.reshape(len(pixels), -1, pixels.shape[3])
    bins = np.stack([(flat // 32 == one).mean(1) for one in range(8)], axis=1).reshape(len(pixels), -1)
    return np.concatenate([flat.mean(1) / 255, flat.std(1) / 255, bins], axis=1).astype(np.float32)
