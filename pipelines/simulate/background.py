"""What lies on every wafer, pattern or not: random defects, more towards the edge, small clusters, repeaters.

A superposition of point processes, the usual picture of yield models: a homogeneous Poisson process, a radial one, a
Thomas (Neyman-Scott) cluster process (Thomas, "A generalization of Poisson's binomial limit", Biometrika 1949) and
marks repeated at the same place of adjacent dies (reticle or mask defects). The number of points is given, so each is
drawn conditional on its share.
"""

import math
from dataclasses import dataclass

import numpy as np

from pipelines.simulate.frame import Frame, Points
from pipelines.simulate.shapes import between, disc, polar

_SMALLEST_CLUSTERED = 60
"""With fewer background defects a chance cluster could be taken for a pattern: they stay random."""


@dataclass(frozen=True, slots=True)
class BackgroundMix:
    """Shares of the background's processes; the rest is uniform.

    Attributes:
        edge: share whose density grows towards the edge.
        clustered: share in small clusters.
        repeated: share repeated in adjacent dies.
        steepness: power of the radius by which the edge density grows.
        cluster_size: mean number of defects in a small cluster.
        cluster_sigma: its standard deviation, in wafer radii.
    """

    edge: float
    clustered: float
    repeated: float
    steepness: float
    cluster_size: float
    cluster_sigma: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "BackgroundMix":
        """One wafer's mixture: mostly uniform, the rest differs from wafer to wafer."""
        return cls(
            edge=between(rng, 0.0, 0.25),
            clustered=between(rng, 0.0, 0.3),
            repeated=between(rng, 0.0, 0.08) if rng.random() < 0.35 else 0.0,
            steepness=between(rng, 2.0, 6.0),
            cluster_size=between(rng, 2.0, 6.0),
            cluster_sigma=float(10 ** rng.uniform(-3.2, -1.9)),
        )


def background(rng: np.random.Generator, n: int, frame: Frame, mix: BackgroundMix) -> Points:
    """Draw `n` inspected background places, float64 (2, n), in wafer radii."""
    if n < _SMALLEST_CLUSTERED:
        return frame.fill(n, lambda m: disc(rng, m))
    edge, clustered, repeated = (round(n * share) for share in (mix.edge, mix.clustered, mix.repeated))
    return np.concatenate(
        (
            frame.fill(n - edge - clustered - repeated, lambda m: disc(rng, m)),
            frame.fill(edge, lambda m: _towards_edge(rng, m, mix.steepness)),
            _small_clusters(rng, clustered, frame, mix),
            _repeaters(rng, repeated, frame),
        ),
        axis=1,
    )


def _towards_edge(rng: np.random.Generator, n: int, steepness: float) -> Points:
    """Density ∝ r^steepness: the inverse of the radial distribution is r = u^(1 / (steepness + 2))."""
    return polar(rng.random(n) ** (1 / (steepness + 2)), 2 * np.pi * rng.random(n))


def _small_clusters(rng: np.random.Generator, n: int, frame: Frame, mix: BackgroundMix) -> Points:
    """A Thomas process: uniform parents, children normally distributed around them."""
    parents = frame.fill(max(1, math.ceil(n / mix.cluster_size)), lambda m: disc(rng, m))

    def children(m: int) -> Points:
        parent = rng.integers(0, parents.shape[1], m)
        return parents[:, parent] + mix.cluster_sigma * rng.standard_normal((2, m))

    return frame.fill(n, children)


def _repeaters(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """Places at the same spot of adjacent dies, a few micrometres apart: blocks of 2 × 2 up to 5 × 5 dies."""
    sites = max(1, n // 40)
    middle = frame.fill(sites, lambda m: disc(rng, m))
    block = rng.integers(2, 6, (2, sites))
    pitch = np.array(frame.pitch)[:, None]
    jitter = 5.0 / frame.radius_um

    def marks(m: int) -> Points:
        site = rng.integers(0, sites, m)
        die = np.floor(rng.random((2, m)) * block[:, site]) - block[:, site] // 2
        return np.asarray(middle[:, site] + die * pitch + jitter * rng.standard_normal((2, m)))

    return frame.fill(n, marks)
