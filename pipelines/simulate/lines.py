"""Production patterns made of lines: basketball, fingerprints, geometric scratch, grid, zigzag.

Names after Frittoli et al., "Deep open-set recognition for silicon wafer production monitoring" (2022); geometry our
own, see `areas`. All lengths in wafer radii. Each function takes a generator, the number of places wanted and the
frame, draws its geometry first, and returns float64 (2, n) inspected places.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.simulate.frame import Frame, Points
from pipelines.simulate.shapes import Strokes, arc, between, segment, smooth_strengths, turned

LINE_PATTERNS = frozenset({"BasketBall", "GeoScratch", "ZigZag"})
"""Patterns that are scratches: their single defects are long and may be classified so."""


@dataclass(frozen=True, slots=True)
class _Pen:
    """How thick a stroke is (standard deviation, wafer radii) and how much its strength varies along it."""

    thickness: float
    contrast: float

    def draw(self, rng: np.random.Generator, n: int, frame: Frame, curves: list[Points]) -> Points:
        """`n` inspected places along the curves."""
        strengths = [smooth_strengths(rng, curve.shape[1] - 1, self.contrast) for curve in curves]
        strokes = Strokes(curves, self.thickness, strengths)
        return frame.fill(n, lambda m: strokes.draw(rng, m))


def basket_ball(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """The seams of a basketball: two lines that cross near the centre and an arc on either side of one of them.

    Such marks come from the grooves of a chuck or an end effector printing through from the back side.
    """
    angle = between(rng, 0, np.pi)
    centre = (between(rng, -0.12, 0.12), between(rng, -0.12, 0.12))
    waist = between(rng, 0.38, 0.62)  # where the arcs cross the horizontal seam
    bend = between(rng, 0.7, 1.3)  # their radius
    sag = between(rng, -0.15, 0.15)  # seen from the side, the straight seams bow
    half = np.arcsin(min(1.0, 0.95 / bend)) if bend > 0.95 else np.pi / 2
    right = arc((waist + bend, 0.0), bend, np.pi - half, np.pi + half)
    left = arc((-waist - bend, 0.0), bend, -half, half)
    across, upright = segment((-1.1, 0.0), (1.1, 0.0), 64), segment((0.0, -1.1), (0.0, 1.1), 64)
    across[1] += sag * (1 - across[0] ** 2)
    upright[0] += sag * (1 - upright[1] ** 2)
    curves = [turned(curve, angle, centre) for curve in (right, left, across, upright)]
    return _Pen(between(rng, 0.008, 0.028), between(rng, 0.0, 0.4)).draw(rng, n, frame, curves)


def geo_scratch(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """One to three long straight or evenly curved scratches: handling, wafers touching, polishing debris."""
    count = int(rng.integers(1, 4))
    direction = between(rng, 0, np.pi)
    parallel = rng.random() < 0.6  # one robot blade makes parallel marks
    curves = []
    for _ in range(count):
        length, angle = between(rng, 0.6, 1.5), direction + (0.04 if parallel else 0.9) * rng.standard_normal()
        middle = (between(rng, -0.4, 0.4), between(rng, -0.4, 0.4))
        if rng.random() < 0.5:
            curve = segment((-length / 2, 0.0), (length / 2, 0.0), 48)
        else:
            radius = between(rng, 0.9, 2.5)
            span = length / radius
            curve = arc((0.0, -radius), radius, np.pi / 2 - span / 2, np.pi / 2 + span / 2, 48)
        curves.append(turned(curve, angle, middle))
    return _Pen(between(rng, 0.002, 0.014), between(rng, 0.2, 0.8)).draw(rng, n, frame, curves)


def zig_zag(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """One line that turns sharply several times: chatter of a polishing pad, a dragged probe, a slipping blade."""
    turns = int(rng.integers(4, 10))
    length, swing = between(rng, 1.1, 1.8), between(rng, 0.14, 0.36)
    corner = np.linspace(-length / 2, length / 2, turns + 1) + np.r_[0, rng.normal(0, 0.02, turns - 1), 0]
    height = swing * (-1.0) ** np.arange(turns + 1) * rng.uniform(0.7, 1.1, turns + 1)
    pieces = [segment((corner[i], height[i]), (corner[i + 1], height[i + 1]), 12) for i in range(turns)]
    angle = between(rng, 0, np.pi)
    middle = (between(rng, -0.2, 0.2), between(rng, -0.2, 0.2))
    curves = [turned(piece, angle, middle) for piece in pieces]
    return _Pen(between(rng, 0.004, 0.02), between(rng, 0.0, 0.4)).draw(rng, n, frame, curves)


def grid(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """Lines along the dies' streets, several dies apart, in both directions: stepping, dicing tape, reticle borders."""
    spacing = between(rng, 0.2, 0.5)
    curves = []
    for axis in (0, 1):
        step = max(1, round(spacing / frame.pitch[axis])) * frame.pitch[axis]
        first = frame.die_zero[axis] + step * np.ceil((-1 - frame.die_zero[axis]) / step)
        for offset in np.arange(first, 1.0, step):
            half = np.sqrt(max(0.0, 1 - offset**2))
            if half < 0.1:
                continue
            line = segment((-half, 0.0), (half, 0.0), 24)
            line[1] += offset
            curves.append(line if axis == 1 else line[::-1])
    return _Pen(between(rng, 0.004, 0.014), between(rng, 0.0, 0.3)).draw(rng, n, frame, curves)


def fingerprints(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """Three to five fingertips side by side near the edge, each a pad of curved ridges: somebody held the wafer.

    Fingertips have a size in millimetres, so they are larger on a smaller wafer.
    """
    unit_mm = frame.radius_um / 1000
    fingers = int(rng.integers(3, 6))
    from_edge = between(rng, 12.0, 40.0) / unit_mm
    towards = between(rng, 0, 2 * np.pi)
    pad = between(rng, 8.0, 11.0) / unit_mm  # half the width of a fingertip
    spread = 2 * pad * between(rng, 1.25, 1.6)  # from one finger to the next
    curves: list[Points] = []
    for finger in range(fingers):
        place = (finger - (fingers - 1) / 2) * spread
        # Middle fingers reach further in, as on a hand.
        reach_in = from_edge + pad * between(rng, 0.8, 1.4) * np.cos(np.pi * place / (spread * fingers))
        curves += [
            turned(ridge, towards + np.pi / 2, _on_rim(frame, towards, place, reach_in))
            for ridge in _ridges(rng, pad * between(rng, 0.85, 1.1))
        ]
    width = between(rng, 0.025, 0.045) * pad
    return _Pen(width, between(rng, 0.1, 0.5)).draw(rng, n, frame, curves)


def _on_rim(frame: Frame, towards: float, along: float, reach_in: float) -> tuple[float, float]:
    """The place `along` units sideways from direction `towards` and `reach_in` units inside the rim."""
    depth = np.sqrt(max(0.0, frame.reach**2 - along**2)) - reach_in
    x, y = turned(np.array([[depth], [along]]), towards)
    return float(x[0]), float(y[0])


def _ridges(rng: np.random.Generator, pad: float) -> list[Points]:
    """Ridges of one fingertip about the origin, the tip towards +y: arches over a core, bowed lines below it."""
    core = between(rng, -0.35, 0.05)
    step = between(rng, 0.13, 0.17)
    tallness = 1.35  # pads are longer than wide
    across = np.linspace(-1.0, 1.0, 33)
    arches = [
        np.stack((width * across, core + tallness * width * np.sqrt(1 - across**2)))
        for width in np.arange(step, 1.6, step)
    ]
    lines = [
        np.stack((across, core - below + 0.25 * (1 - across**2))) for below in np.arange(0.3, 1.6, tallness * step)
    ]
    ridges = []
    for curve in arches + lines:
        inside = curve[0] ** 2 + (curve[1] / tallness) ** 2 <= 1
        if inside.sum() > 2:
            ridges.append(pad * curve[:, inside])
    return ridges
