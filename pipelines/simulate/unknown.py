"""Patterns never trained on: they stand for the failure of tomorrow that must be called unknown.

All lengths in wafer radii; same form as the production patterns in `areas` and `lines`.
"""

import numpy as np

from pipelines.simulate.frame import Frame, Points
from pipelines.simulate.shapes import TAU, Strokes, between, disc, polar, segment, smooth_strengths, spot, turned


def spiral(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """An arm winding out from the centre: a dispense nozzle moving while the wafer spins."""
    turns, handedness = between(rng, 1.4, 3.2), rng.choice((-1, 1))
    start, power = between(rng, 0.03, 0.12), between(rng, 0.75, 1.25)
    along = np.linspace(0.0, 1.0, 240)
    distance = start + (0.95 - start) * along**power
    curve = turned(polar(distance, handedness * TAU * turns * along), between(rng, 0, TAU), spot(rng, 0.0, 0.1))
    pen = Strokes([curve], between(rng, 0.008, 0.028), [smooth_strengths(rng, 239, between(rng, 0.0, 0.4))])
    return frame.fill(n, lambda m: pen.draw(rng, m))


def spokes(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """Five to ten rays from a hub: striations of a spun-on film, lamps of a heater."""
    count, turn, hub = int(rng.integers(5, 11)), between(rng, 0, TAU), between(rng, 0.05, 0.2)
    angles = turn + TAU * (np.arange(count) + rng.uniform(-0.1, 0.1, count)) / count
    ends = rng.uniform(0.75, 1.0, count)
    centre = spot(rng, 0.0, 0.12)
    rays = [turned(segment((hub, 0.0), (ends[i], 0.0)), angles[i], centre) for i in range(count)]
    pen = Strokes(rays, between(rng, 0.01, 0.025))
    return frame.fill(n, lambda m: pen.draw(rng, m))


def checker_board(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """Every other exposure field, as on a chess board: two alternating stages or fields of a scanner."""
    size = between(rng, 0.18, 0.42)
    fields = [max(1, round(size / pitch)) * pitch for pitch in frame.pitch]
    odd = int(rng.integers(0, 2))

    def board(m: int) -> Points:
        places = disc(rng, m)
        field = [np.floor((places[axis] - frame.die_zero[axis]) / fields[axis]) for axis in (0, 1)]
        return places[:, (field[0] + field[1]) % 2 == odd]

    return frame.fill(n, board)


def crescents(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """Two sickles facing each other inside the wafer, like brackets: an o-ring or clamp touching in two places."""
    angle, radius = between(rng, 0, TAU), between(rng, 0.45, 0.68)
    half, thick = np.deg2rad(between(rng, 35, 60)), between(rng, 0.05, 0.1)
    centre = spot(rng, 0.0, 0.15)

    def pair(m: int) -> Points:
        # A sickle tapers towards its horns: so does its width, and with it the number of defects.
        across = (2 / np.pi) * np.arcsin(2 * rng.random(m) - 1)
        distance = radius + thick * np.cos(0.5 * np.pi * across) * rng.standard_normal(m)
        across *= half
        return turned(polar(distance, across + np.pi * rng.integers(0, 2, m)), angle, centre)

    return frame.fill(n, pair)


def triangle(rng: np.random.Generator, n: int, frame: Frame) -> Points:
    """The outline of a triangle: three lift pins and the bow of the wafer between them."""
    size, angle = between(rng, 0.55, 0.85), between(rng, 0, TAU)
    corners = polar(np.full(4, size), angle + TAU * np.arange(4) / 3) + np.array(spot(rng, 0.0, 0.12))[:, None]
    sides = [segment((corners[0, i], corners[1, i]), (corners[0, i + 1], corners[1, i + 1])) for i in range(3)]
    pen = Strokes(sides, between(rng, 0.012, 0.04))
    return frame.fill(n, lambda m: pen.draw(rng, m))
