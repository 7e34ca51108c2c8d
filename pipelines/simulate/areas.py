"""Production patterns that cover an area: clusters, donut, half moon, ring, slice.

Names after Frittoli et al., "Deep open-set recognition for silicon wafer production monitoring", Pattern Recognition
124 (2022), whose wafers are not public: the geometry here is our own reading of the names and of the causes named
below. All lengths in wafer radii. Each function takes a generator, the number of places wanted and the frame, draws
its geometry first, and returns float64 (2, n) inspected places.
"""

import numpy as np

from pipelines.simulate.frame import Frame, Points
from pipelines.simulate.shapes import TAU, between, polar, spot, turned


def _cluster(
    rng: np.random.Generator, n: int, frame: Frame, size: tuple[float, float], centre: tuple[float, float]
) -> Points:
    """An irregular heap: a few overlapping elliptic bumps about one centre."""
    sigma = between(rng, *size)
    bumps = int(rng.integers(2, 6))
    tilt, flatness = between(rng, 0, np.pi), between(rng, 0.6, 1.0)
    offsets = turned(rng.normal(0, 0.55 * sigma, (2, bumps)) * np.array([[1.0], [flatness]]), tilt)
    widths = sigma * rng.uniform(0.45, 0.9, bumps)
    weights = rng.dirichlet(np.full(bumps, 3.0))

    def heap(m: int) -> Points:
        bump = rng.choice(bumps, m, p=weights)
        round_places = rng.standard_normal((2, m)) * widths[bump] * np.array([[1.0], [flatness]])
        return turned(round_places, tilt, centre) + offsets[:, bump]

    return frame.fill(n, heap)


def cluster_big(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """One large heap of defects: a chamber flake, a splash. A tenth to a half of the area."""
    return _cluster(rng, n, frame, (0.19, 0.32), spot(rng, 0.0, 0.62))


def cluster_small(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """One small dense heap: a droplet, a chuck particle's print. About a hundredth of the area."""
    return _cluster(rng, n, frame, (0.035, 0.085), spot(rng, 0.0, 0.85))


def donut(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """A wide ring between centre and edge, the centre free: uneven spin-on, plasma or polishing pressure."""
    radius, width = between(rng, 0.36, 0.62), between(rng, 0.05, 0.11)
    centre = spot(rng, 0.0, 0.12)
    tilt, flatness = between(rng, 0, np.pi), between(rng, 0.88, 1.0)
    lean, towards = between(rng, 0.0, 0.5), between(rng, 0, TAU)

    def around(m: int) -> Points:
        angle = TAU * rng.random(m)
        # Thinning makes one side stronger: keep with probability (1 + lean·cos) / (1 + lean).
        angle = angle[rng.random(m) * (1 + lean) < 1 + lean * np.cos(angle - towards)]
        distance = radius + width * rng.standard_normal(len(angle))
        return turned(polar(distance, angle) * np.array([[1.0], [flatness]]), tilt, centre)

    return frame.fill(n, around)


def ring(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """A closed band along the wafer's edge: bevel, clamp, edge-bead removal. Density falls off inwards."""
    edge = frame.rim()
    depth = between(rng, 0.015, 0.06)
    gap = between(rng, 0.0, 0.03)
    lean, towards = between(rng, 0.0, 0.5), between(rng, 0, TAU)

    def rim(m: int) -> Points:
        angle = TAU * rng.random(m)
        angle = angle[rng.random(m) * (1 + lean) < 1 + lean * np.cos(angle - towards)]
        return polar(edge - gap - depth * rng.gamma(1.6, 1.0, len(angle)), angle)

    return frame.fill(n, rim)


def half_moon(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """One side of the wafer, bounded by a straight or hollow line: tilt, one-sided flow, partial immersion."""
    angle = between(rng, 0, TAU)
    depth = between(rng, 0.5, 1.0)  # how far the moon reaches in from the edge, along its middle
    hollow = between(rng, 0.0, 0.8)  # curvature of its inner line: 0 straight, towards 1 that of the wafer
    blur = between(rng, 0.01, 0.06)
    fade = between(rng, 0.0, 0.7)

    lowest = max(-1.0, (1 - depth) - 0.5 * hollow - 4 * blur)  # nothing of the moon lies further in

    def side(m: int) -> Points:
        places = np.stack((rng.uniform(lowest, 1.0, m), rng.uniform(-1.0, 1.0, m)))
        inner = (1 - depth) - 0.5 * hollow * places[1] ** 2 + blur * rng.standard_normal(m)
        inside = places[0] > inner
        # Fading from the edge inwards, never below 1 - fade of the full density.
        dense = rng.random(m) < 1 - fade * np.clip((1 - places[0]) / depth, 0, 1)
        return turned(places[:, inside & dense], angle)

    return frame.fill(n, side)


def slice_(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """A wedge like a piece of cake, its tip near the centre: a stopped nozzle, a blocked shower head."""
    angle, opening = between(rng, 0, TAU), np.deg2rad(between(rng, 18, 65))
    tip = spot(rng, 0.0, 0.15)
    start = between(rng, 0.0, 0.15)
    blur = np.deg2rad(between(rng, 0.3, 2.0))

    def wedge(m: int) -> Points:
        distance = np.sqrt(rng.uniform(start**2, 1.2**2, m))
        across = opening * (rng.random(m) - 0.5) + blur * rng.standard_normal(m)
        return turned(polar(distance, across), angle, tip)

    return frame.fill(n, wedge)
