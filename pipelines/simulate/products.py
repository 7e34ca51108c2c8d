"""Invented products: wafer diameter, die pitch, edge exclusion. The codes are neutral and belong to nobody."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from pipelines.simulate.coverage import without_test_dies
from pipelines.simulate.dies import DieLayout, whole_wafer
from pipelines.simulate.shapes import between

PRODUCTS = 24
"""How many products the invented fab makes."""

_CATALOGUE_SEED = 20_240_101
"""Fixed, so that a product code means the same dies whatever the seed of a simulation."""


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """One product.

    Attributes:
        code: its name, as DeviceID in files.
        layout: its inspected dies.
    """

    code: str
    layout: DieLayout


@cache
def product(number: int) -> Product:
    """The `number`-th product of the catalogue (0 .. PRODUCTS - 1), always the same.

    Two thirds are on 300 mm, the rest on 200 mm; dies measure 2 to 22 mm, up to twice as long as wide.
    """
    rng = np.random.default_rng(np.random.SeedSequence(_CATALOGUE_SEED, spawn_key=(number,)))
    diameter_um = 200_000.0 if rng.random() < 1 / 3 else 300_000.0
    longer_um = np.round(np.exp(between(rng, np.log(3_000), np.log(22_000))), 1)
    shorter_um = np.round(longer_um * between(rng, 0.5, 1.0), 1)
    pitch_um = (float(longer_um), float(shorter_um)) if rng.random() < 0.5 else (float(shorter_um), float(longer_um))
    # Large partial dies carry too much of the rim to leave them uninspected.
    partial = bool(longer_um > 0.05 * diameter_um or rng.random() < 0.6)
    layout = whole_wafer(
        diameter_um,
        pitch_um,
        shift=(float(rng.choice((0.0, 0.5))), float(rng.choice((0.0, 0.5)))),
        edge_exclusion_um=float(rng.choice((2_000.0, 3_000.0, 5_000.0))),
        partial_dies=partial,
    )
    return Product(f"P{10 + number:02d}{'ABCDEFGH'[number % 8]}", without_test_dies(rng, layout) if partial else layout)
