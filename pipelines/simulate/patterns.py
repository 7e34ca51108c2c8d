"""The patterns by name, and how much of a wafer's defects belong to them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pipelines.simulate import areas, lines, unknown
from pipelines.simulate.frame import Drawing
from pipelines.simulate.shapes import between

NORMAL = "Normal"
"""Background only."""

INCOMPLETE = "Incomplete"
"""Background only, and a large part of the wafer was not looked at."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern.

    Attributes:
        draw: gives its places.
        least_share: smallest share of a wafer's defects that belong to it where defects are plenty. What concentrates
            its defects on little area is seen at a small share already.
        least_defects: fewer on a wafer cannot show it; a wafer whose number of defects is drawn has at least so many.
    """

    draw: Drawing
    least_share: float
    least_defects: int = 10

    def draw_share(self, rng: np.random.Generator, defects: int) -> float:
        """Draw the pattern's share of a wafer's defects.

        The fewer the defects, the larger the floor: with ten of them nearly all must lie in the pattern for a person
        to name it, with 10^4 the least share is enough.
        """
        plenty = min(1.0, max(0.0, (math.log10(max(defects, 10)) - 1) / 3))
        floor = 0.9 + (self.least_share - 0.9) * plenty
        return between(rng, floor, 0.96)


_KNOWN: Mapping[str, Pattern | None] = {
    "BasketBall": Pattern(lines.basket_ball, 0.25, 60),
    "ClusterBig": Pattern(areas.cluster_big, 0.3),
    "ClusterSmall": Pattern(areas.cluster_small, 0.06),
    "Donut": Pattern(areas.donut, 0.35, 25),
    "Fingerprints": Pattern(lines.fingerprints, 0.12, 30),
    "GeoScratch": Pattern(lines.geo_scratch, 0.08, 15),
    "Grid": Pattern(lines.grid, 0.35, 400),
    "HalfMoon": Pattern(areas.half_moon, 0.45, 25),
    INCOMPLETE: None,
    NORMAL: None,
    "Ring": Pattern(areas.ring, 0.25, 25),
    "Slice": Pattern(areas.slice_, 0.25, 15),
    "ZigZag": Pattern(lines.zig_zag, 0.12, 40),
}

_UNKNOWN: Mapping[str, Pattern | None] = {
    "CheckerBoard": Pattern(unknown.checker_board, 0.5, 400),
    "Crescents": Pattern(unknown.crescents, 0.25, 40),
    "Spiral": Pattern(unknown.spiral, 0.25, 150),
    "Spokes": Pattern(unknown.spokes, 0.3, 150),
    "Triangle": Pattern(unknown.triangle, 0.2, 60),
}

PATTERNS: tuple[str, ...] = tuple(_KNOWN)
"""The 13 production patterns, by name."""

UNKNOWN_PATTERNS: tuple[str, ...] = tuple(_UNKNOWN)
"""Patterns never trained on."""

DRAWINGS: Mapping[str, Pattern | None] = MappingProxyType({**_KNOWN, **_UNKNOWN})
"""How each pattern is drawn; None = background only."""
