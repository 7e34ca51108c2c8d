"""What patterns are drawn with: uniform discs, strokes along curves, turning and shifting."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.frame import Points

TAU = 2 * np.pi


def turned(points: Points, angle: float, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Turn places counter-clockwise by `angle` radians and shift the origin to `about`."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((cos * points[0] - sin * points[1] + about[0], sin * points[0] + cos * points[1] + about[1]))


def polar(radius: NDArray[np.float64], angle: NDArray[np.float64]) -> Points:
    """Places (2, N) from distances and angles (N,)."""
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)))


def disc(rng: np.random.Generator, n: int, radius: float = 1.0) -> Points:
    """`n` places uniform in a disc about the origin (inverse of the radial distribution: r = R·√u)."""
    return polar(radius * np.sqrt(rng.random(n)), TAU * rng.random(n))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """One number, uniform in [low, high)."""
    return float(rng.uniform(low, high))


def spot(rng: np.random.Generator, nearest: float, farthest: float) -> tuple[float, float]:
    """One place, uniform by area between two distances from the centre."""
    radius = np.sqrt(rng.uniform(nearest**2, farthest**2))
    angle = TAU * rng.random()
    return float(radius * np.cos(angle)), float(radius * np.sin(angle))


def segment(start: tuple[float, float], end: tuple[float, float], steps: int = 24) -> Points:
    """A straight curve of `steps` pieces (pieces, because strokes vary in strength from piece to piece)."""
    along = np.linspace(0.0, 1.0, steps + 1)
    return np.stack((start[0] + along * (end[0] - start[0]), start[1] + along * (end[1] - start[1])))


def arc(centre: tuple[float, float], radius: float, start: float, end: float, steps: int = 64) -> Points:
    """Part of a circle between two angles, as a curve of `steps` pieces."""
    curve = polar(np.full(steps + 1, radius), np.linspace(start, end, steps + 1))
    return np.asarray(curve + np.array(centre)[:, None])


def smooth_strengths(rng: np.random.Generator, n: int, contrast: float) -> NDArray[np.float64]:
    """Positive weights (n,) that change gently from one to the next; `contrast` 0 gives all ones.

    A log-normal random walk smoothed over a tenth of its length: real scratches press harder here than there.
    """
    noise = rng.standard_normal(n)
    width = max(1, n // 10)
    # Wrapping around keeps the strength continuous along closed curves too.
    smooth = np.convolve(np.concatenate((noise, noise[: width - 1])), np.full(width, width**-0.5), mode="valid")
    return np.asarray(np.exp(contrast * smooth))


class Strokes:
    """Curves drawn with a pen of some thickness: places lie along them by length and strength.

    Example:
        >>> pen = Strokes([segment((-1, 0), (1, 0))], thickness=0.01)
        >>> pen.draw(np.random.default_rng(0), 5).shape
        (2, 5)
    """

    def __init__(
        self, curves: Sequence[Points], thickness: float, strengths: Sequence[NDArray[np.float64]] | None = None
    ) -> None:
        """Lay out the pieces of all curves one after the other.

        Args:
            curves: polylines, each (2, K+1).
            thickness: standard deviation across the curve, in wafer radii.
            strengths: per curve the weights (K,) of its pieces; equal if left out.
        """
        self._start = np.concatenate([curve[:, :-1] for curve in curves], axis=1)
        self._step = np.concatenate([np.diff(curve, axis=1) for curve in curves], axis=1)
        weight = np.hypot(self._step[0], self._step[1])
        if strengths is not None:
            weight = weight * np.concatenate(list(strengths))
        self._cumulative = np.cumsum(weight) / weight.sum()
        self._thickness = thickness

    def draw(self, rng: np.random.Generator, n: int) -> Points:
        """`n` places along the curves, float64 (2, n)."""
        piece = np.minimum(np.searchsorted(self._cumulative, rng.random(n)), len(self._cumulative) - 1)
        on_curve = self._start[:, piece] + self._step[:, piece] * rng.random(n)
        return np.asarray(on_curve + self._thickness * rng.standard_normal((2, n)))
