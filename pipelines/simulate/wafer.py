"""One simulated wafer: a pattern over a background, on the dies of a product."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from pipelines.ingestion.wafer_maps import DieGrid, PointMap
from pipelines.simulate.background import BackgroundMix, background
from pipelines.simulate.coverage import incomplete
from pipelines.simulate.dies import DieLayout
from pipelines.simulate.frame import Frame
from pipelines.simulate.patterns import DRAWINGS, INCOMPLETE
from pipelines.simulate.products import PRODUCTS, Product, product

DEFECTS = (10, 1_000_000)
"""Default range of the number of defects on a wafer."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedWafer:
    """A wafer whose pattern is known.

    Attributes:
        pattern: its name.
        points: its defects and inspected dies, as read from a file.
        layout: its inspected dies with their indices, as a file states them.
        product: code of the product.
        in_pattern: bool (N,), which defects belong to the pattern, not the background.
    """

    pattern: str
    points: PointMap
    layout: DieLayout
    product: str
    in_pattern: NDArray[np.bool_]


def sample(
    pattern: str,
    seed: int | np.random.SeedSequence,
    *,
    defects: int | tuple[int, int] = DEFECTS,
    of_product: Product | None = None,
) -> SimulatedWafer:
    """Simulate one wafer in memory.

    Args:
        pattern: a name of PATTERNS or UNKNOWN_PATTERNS.
        seed: the same seed gives the same wafer.
        defects: how many, or the range they are drawn from log-uniformly (from the pattern's `least_defects` on, if
            that lies in the range: ten defects do not make a grid).
        of_product: whose dies it has; one of the catalogue, drawn, if left out.

    Returns:
        The wafer. A pattern keeps its place and shape when only the number of defects changes.

    Raises:
        ConfigurationError: unknown pattern or impossible number of defects.
    """
    check_pattern(pattern)
    check_defects(defects)
    rng = np.random.default_rng(seed)
    chosen = product(int(rng.integers(0, PRODUCTS))) if of_product is None else of_product
    layout = incomplete(rng, chosen.layout) if pattern == INCOMPLETE else chosen.layout
    # Children for each part: what one part draws must not move the others.
    for_count, for_pattern, for_background, for_order = rng.spawn(4)
    frame = Frame(layout)
    drawing = DRAWINGS[pattern]
    if isinstance(defects, int):
        total = defects
    else:
        least, most = defects
        total = _log_uniform(for_count, min(most, max(least, drawing.least_defects if drawing else 0)), most)
    of_pattern = 0 if drawing is None else round(total * drawing.draw_share(for_count, total))
    places = np.empty((2, 0)) if drawing is None else drawing.draw(for_pattern, of_pattern, frame)
    rest = background(for_background, total - of_pattern, frame, BackgroundMix.draw(for_background))
    order = for_order.permutation(total)
    x_um, y_um = frame.in_um(np.concatenate((places, rest), axis=1)[:, order])
    corners_x, corners_y = layout.corners_um()
    return SimulatedWafer(
        pattern,
        PointMap(x_um, y_um, layout.diameter_um, DieGrid(corners_x, corners_y, layout.pitch_um)),
        layout,
        chosen.code,
        order < of_pattern,
    )


def check_pattern(pattern: str) -> None:
    """Refuse names that are not patterns.

    Raises:
        ConfigurationError: `pattern` is none of PATTERNS and UNKNOWN_PATTERNS.
    """
    if pattern not in DRAWINGS:
        raise ConfigurationError("unknown pattern", expected=" | ".join(DRAWINGS), got=pattern)


def check_defects(defects: int | tuple[int, int]) -> None:
    """Refuse impossible numbers of defects.

    Raises:
        ConfigurationError: not 0 <= n, or not 1 <= least <= most, or more than 10^7.
    """
    least, most = (max(defects, 1), max(defects, 1)) if isinstance(defects, int) else defects
    negative = isinstance(defects, int) and defects < 0
    if negative or not 1 <= least <= most <= 10_000_000:
        raise ConfigurationError(
            "bad number of defects",
            where="defects",
            expected="a number >= 0, or 1 <= least <= most <= 10000000",
            got=str(defects),
        )


def _log_uniform(rng: np.random.Generator, least: int, most: int) -> int:
    """A whole number between both ends, each order of magnitude equally likely."""
    return min(most, max(least, round(math.exp(rng.uniform(math.log(least), math.log(most))))))
