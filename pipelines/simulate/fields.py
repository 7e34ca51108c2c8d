"""Fields of failure that mean nothing in particular: strangers drawn from them stand for whatever nobody has named.

A field says how likely a place of the wafer is to fail. It is one of five kinds of smooth random function, in the plane
or around the centre, cut so that a random share of the wafer lies above, with an edge as soft as chance will have it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

SIDE = 96
"""Places across the square in which a field is known; finer than nearly all die grids."""
Floats = NDArray[np.float64]
_LINE = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
_Y, _X = np.meshgrid(_LINE, _LINE, indexing="ij")
_TAU = 2 * np.pi


def random_field(rng: np.random.Generator, families: tuple[str, ...] | None = None) -> Floats:
    """A field: chance of failure at each place of the square around the wafer, float64 (SIDE, SIDE), rows from the top.

    Args:
        rng: the only source of chance.
        families: names in `FAMILIES` to choose from; None = all.
    """
    turn = rng.uniform(0, _TAU)
    x, y = np.cos(turn) * _X - np.sin(turn) * _Y, np.sin(turn) * _X + np.cos(turn) * _Y
    raw = FAMILIES[rng.choice(families or tuple(FAMILIES))](rng, x, y)
    share = np.exp(rng.uniform(np.log(0.02), np.log(0.8)))
    edge = rng.uniform(0.02, 0.4) * (raw.std() + 1e-6)
    height = (raw - np.quantile(raw, 1 - share)) / edge
    field: Floats = rng.uniform(0.35, 1) / (1 + np.exp(-np.clip(height, -30, 30)))
    return field


def at(field: Floats, x: Floats, y: Floats) -> Floats:
    """The field at places -1..1, x to the right and y downwards."""
    row, column = (np.clip(((axis + 1) * (SIDE / 2)).astype(int), 0, SIDE - 1) for axis in (y, x))
    return np.asarray(field[row, column])


def _waves(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Two to six plane waves."""
    found = np.zeros_like(x)
    for _ in range(rng.integers(2, 7)):
        across, down = rng.normal(0, rng.uniform(1, 5), 2)
        found += rng.normal() * np.cos(across * x + down * y + rng.uniform(0, _TAU))
    return found


def _whirls(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Two to five waves of radius and angle."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    found = np.zeros_like(x)
    for _ in range(rng.integers(2, 6)):
        found += rng.normal() * np.cos(rng.normal(0, 4) * radius + rng.integers(0, 5) * angle + rng.uniform(0, _TAU))
    return found


def _heaps(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """One to five bumps of any size, anywhere."""
    found = np.zeros_like(x)
    for _ in range(rng.integers(1, 6)):
        (px, py), (wide, high) = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.05, 0.5, 2)
        found += np.exp(-(((x - px) / wide) ** 2) - ((y - py) / high) ** 2)
    return found


def _bands(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """A band at some distance from the centre, all around or in part."""
    width = np.exp(rng.uniform(np.log(0.02), np.log(0.3)))
    found: Floats = np.exp(-(((np.hypot(x, y) - rng.uniform(0, 1)) / width) ** 2))
    if rng.random() < 0.5:
        found = found * np.exp(rng.uniform(0.5, 8) * (np.cos(np.arctan2(y, x)) - 1))
    return found


def _curves(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Near the lines where a few waves have one height; mostly in a part of the wafer alone."""
    height = np.zeros_like(x)
    for _ in range(rng.integers(1, 4)):
        across, down = rng.normal(0, rng.uniform(0.5, 3), 2)
        height += rng.normal() * np.cos(across * x + down * y + rng.uniform(0, _TAU))
    slope = np.hypot(*np.gradient(height)) * SIDE / 2
    found: Floats = -np.abs(height - 0.5 * rng.normal()) / (slope + 1e-3)
    if rng.random() < 0.6:
        px, py = rng.uniform(-0.6, 0.6, 2)
        found = np.where(np.hypot(x - px, y - py) < rng.uniform(0.2, 0.9), found, found.min())
    return found


FAMILIES: Mapping[str, Callable[[np.random.Generator, Floats, Floats], Floats]] = MappingProxyType(
    {"waves": _waves, "whirls": _whirls, "heaps": _heaps, "bands": _bands, "curves": _curves}
)
"""Kinds of field, by name."""
