"""Heat: where on a densely judged level the network saw how much of a class, small enough to be kept and shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from models.domain.tiling import Level

FULL = 255
"""The cell's value for a probability of one."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """One class on one level.

    Attributes:
        level: whose windows were judged.
        label: the class; None = refused a label.
        box: (top, left, bottom, right) of all cells together, as fractions of the capture's height and width; the last
            cells may overhang it a little.
        values: uint8 (R, C): the greatest probability in each cell, `FULL` = 1; where windows were refused, `FULL`.
    """

    level: Level
    label: str | None
    box: tuple[float, float, float, float]
    values: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: cells of another type or shape, or none.
        """
        if self.values.dtype != np.uint8 or self.values.ndim != 2 or not self.values.size:
            raise InputError("not a heat map", expected="uint8 (R, C)", got=f"{self.values.dtype} {self.values.shape}")

    @property
    def greatest(self) -> float:
        """Probability at the hottest place, 0..1."""
        return int(self.values.max()) / FULL
