"""Invented lots: what the wafers of one carrier share. All names are neutral codes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from pipelines.simulate.products import PRODUCTS, Product, product

SLOTS = 25
"""Wafers in a carrier, at most."""

_STEPS = (
    "STI-ETCH",
    "STI-CMP",
    "GATE-LITHO",
    "GATE-ETCH",
    "CONT-CMP",
    "M1-LITHO",
    "M1-CMP",
    "V1-ETCH",
    "M2-CMP",
    "PASS-DEP",
)
_TOOLS = ("INSP01", "INSP02", "INSP03", "INSP04", "INSP05")
_FIRST = datetime(2025, 1, 6, 6, 0, 0)
_APART = timedelta(hours=2, minutes=40)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedLot:
    """One lot.

    Attributes:
        name: LotID; simulations with different seeds have different lots.
        product: what is made, and so the dies.
        step: process step after which it was inspected.
        tool: id of the inspection tool.
        inspected_at: tool's local time of its first wafer.
    """

    name: str
    product: Product
    step: str
    tool: str
    inspected_at: datetime

    def wafer(self, slot: int) -> str:
        """WaferID of the wafer in `slot` (1 ..)."""
        return f"{self.name}.{slot:02d}"


def simulated_lot(seed: int, number: int) -> SimulatedLot:
    """The `number`-th lot (0 ..) of a simulation; it does not depend on how many lots there are."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, number)))
    family = hashlib.sha256(str(seed).encode()).hexdigest()[:4].upper()
    return SimulatedLot(
        name=f"S{family}{number:04d}",
        product=product(int(rng.integers(0, PRODUCTS))),
        step=str(rng.choice(_STEPS)),
        tool=str(rng.choice(_TOOLS)),
        inspected_at=_FIRST + number * _APART + timedelta(seconds=int(rng.integers(0, 3600))),
    )
