"""Wafer data to patches; pure, and the same for training and for serving.

Channel 0 is defect density on a log scale, channel 1 the share of the pixel that was inspected. For points, density is
the number n of defects in the pixel: 255·log(1 + n)/log(1 + 1023), so that one defect is seen (26) and a thousand do
not saturate what ten would show. For die maps n = 1023·f with f the share of the pixel's area that failed.

The outline of a die grid names the product, and in WM-811K the product alone predicts the class. So a die map is
stretched over the common frame by area, and the missing dies along its rim are drawn as the round wafer they follow;
only dies missing inside of it count as not inspected.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.domain.patch import DENSITY_FULL, Patch, Scene, density_of
from models.domain.tiling import Level, Window
from pipelines.ingestion.point_index import located
from pipelines.ingestion.wafer_maps import FAIL, DieGrid, DieMap, PointMap

_DIES_AT_ONCE = 4096
_MAPS_AT_ONCE = 512


def render_points(points: PointMap, window: Window) -> Patch:
    """One window of a defect map, drawn when its pixels are asked for; the cost follows the defects in the window.

    Args:
        points: the wafer.
        window: of any level of its pyramid.

    Returns:
        Patch of the window's scene: places of defects, inspected share.
    """
    level = window.level
    if window.top <= 0 and window.left <= 0 and window.bottom >= level.height and window.right >= level.width:
        found = located(*points.positions, window, clip=False)
    else:
        found = points.index.located(window)
    share, inspected = _looked_at(points.inspected, points.diameter_um, window)
    return Patch(window, Scene(found, share), inspected)


def render_dies(dies: DieMap, window: Window) -> Patch:
    """Draw one window of a die map.

    Args:
        dies: the wafer; the box around its tested dies is stretched over the whole frame.
        window: of any level of its pyramid.

    Returns:
        Patch with pixels (height, width, 2): density, inspected share.
    """
    states = _box(dies.states)
    density, share = _die_channels(states[None], window)
    pixels = np.stack([density[0], _to_byte(share[0])], axis=-1)
    return Patch(window, pixels, float(share[0].mean(dtype=np.float64)))


def render_die_maps(maps: Sequence[NDArray[np.uint8]], size: int) -> NDArray[np.uint8]:
    """Draw many whole die maps at one size: equal to `render_dies` of level 0, many times faster.

    Args:
        maps: uint8 (rows, columns) each, states as in `DieMap`.
        size: side of the pictures in pixels.

    Returns:
        uint8 (N, size, size, 2).
    """
    window = Window(Level(0, size, size), 0, 0, size, size)
    pixels = np.empty((len(maps), size, size, 2), np.uint8)
    boxes = [_box(states) for states in maps]
    for group in _groups(boxes):
        density, share = _die_channels(np.stack([boxes[i] for i in group]), window)
        pixels[group, ..., 0] = density
        pixels[group, ..., 1] = _to_byte(share)
    return pixels


def _groups(boxes: Sequence[NDArray[np.uint8]]) -> Iterable[list[int]]:
    """Places of the maps of one shape, a bounded number at a time."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for place, states in enumerate(boxes):
        by_shape.setdefault(states.shape, []).append(place)
    for places in by_shape.values():
        for begin in range(0, len(places), _MAPS_AT_ONCE):
            yield places[begin : begin + _MAPS_AT_ONCE]


def _to_byte(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = (share * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return rounded


@lru_cache(maxsize=512)
def _looked_at(grid: DieGrid | None, diameter_um: float, window: Window) -> tuple[NDArray[np.uint8], float]:
    """Inspected share of each pixel, uint8 (height, width), and of the window.

    It is kept, because wafers of a product are looked at alike: drawing it anew took half the time of cutting.
    """
    share = _disc(window)
    if grid is not None:
        share = np.minimum(share, _grid_share(grid, diameter_um, window))
    rounded = _to_byte(share)
    rounded.flags.writeable = False
    return rounded, float(share.mean(dtype=np.float64))


@lru_cache(maxsize=64)
def _disc(window: Window) -> NDArray[np.float32]:
    """Share of each pixel inside the round wafer, float32 (height, width), within 2 % at the rim."""
    rows = (np.arange(window.top, window.bottom) + 0.5) / window.level.height * 2 - 1
    columns = (np.arange(window.left, window.right) + 0.5) / window.level.width * 2 - 1
    pixel = 2 / max(window.level.height, window.level.width)
    inside = np.clip(0.5 + (1 - np.hypot(rows[:, None], columns[None])) / pixel, 0, 1).astype(np.float32)
    inside[np.abs(rows) > 1] = 0
    inside[:, np.abs(columns) > 1] = 0
    inside.flags.writeable = False
    return inside


def _grid_share(grid: DieGrid, diameter_um: float, window: Window) -> NDArray[np.float32]:
    """Share of each pixel covered by inspected dies, float32 (height, width).

    Exact by area: the overlap of a die with a pixel is its overlap in y times its overlap in x.
    """
    tall, wide = window.level.height / diameter_um, window.level.width / diameter_um
    top = (diameter_um / 2 - grid.y_um - grid.pitch_um[1]) * tall - window.top
    left = (grid.x_um + diameter_um / 2) * wide - window.left
    height, width = grid.pitch_um[1] * tall, grid.pitch_um[0] * wide
    touching = (top < window.height) & (top + height > 0) & (left < window.width) & (left + width > 0)
    top, left = top[touching], left[touching]
    share = np.zeros((window.height, window.width), np.float32)
    for begin in range(0, len(top), _DIES_AT_ONCE):
        some = slice(begin, begin + _DIES_AT_ONCE)
        share += _overlaps(top[some], height, window.height).T @ _overlaps(left[some], width, window.width)
    return np.minimum(share, 1)


def _overlaps(begin: NDArray[np.float64], length: float, pixels: int) -> NDArray[np.float32]:
    """How much of each pixel [p, p + 1) each interval [begin, begin + length) covers, float32 (intervals, pixels)."""
    pixel = np.arange(pixels)
    low = np.maximum(begin[:, None], pixel)
    high = np.minimum(begin[:, None] + length, pixel + 1)
    overlap: NDArray[np.float32] = np.maximum(high - low, 0).astype(np.float32)
    return overlap


def _die_channels(states: NDArray[np.uint8], window: Window) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Density and inspected share of equally shaped die maps (N, rows, columns): each (N, height, width)."""
    _, rows, columns = states.shape
    down = _stretch(rows, window.level.height, window.top, window.height)
    across = _stretch(columns, window.level.width, window.left, window.width).T
    failed = down @ (states == FAIL).astype(np.float32) @ across
    looked = (states > 0) | (_rim(rows, columns) & states.any(axis=(1, 2), keepdims=True))
    share = np.broadcast_to(_disc(window), failed.shape)
    if not looked.all():
        share = np.minimum(share, down @ looked.astype(np.float32) @ across)
    return density_of(np.maximum(failed, 0) * DENSITY_FULL), share


@lru_cache(maxsize=1024)
def _stretch(cells: int, level_px: int, begin_px: int, pixels: int) -> NDArray[np.float32]:
    """Matrix (pixels, cells) that resamples `cells` equal cells over a level by area, for some of its pixels."""
    size = level_px / cells
    matrix = _overlaps(np.arange(cells, dtype=np.float64) * size - begin_px, size, pixels).T.copy()
    matrix.flags.writeable = False
    return matrix


@lru_cache(maxsize=1024)
def _rim(rows: int, columns: int) -> NDArray[np.bool_]:
    """Dies of a grid that lie outside of the inscribed round wafer or within one die of its edge, (rows, columns)."""
    y = np.abs((np.arange(rows) + 0.5) / rows * 2 - 1) + 3 / rows
    x = np.abs((np.arange(columns) + 0.5) / columns * 2 - 1) + 3 / columns
    rim: NDArray[np.bool_] = np.hypot(y[:, None], x[None]) > 1
    rim.flags.writeable = False
    return rim


def _box(states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The smallest rectangle with all tested dies; the whole map if there is none."""
    rows = np.flatnonzero(states.any(axis=1))
    columns = np.flatnonzero(states.any(axis=0))
    if not len(rows):
        return states
    return states[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
