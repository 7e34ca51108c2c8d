"""The frame patterns are drawn in: a disc of radius 1 (the wafer), notch down, x right, y up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.dies import DieLayout

Points: TypeAlias = NDArray[np.float64]
"""Places (2, N): row 0 x, row 1 y, in wafer radii from the centre."""

Drawing: TypeAlias = Callable[[np.random.Generator, int, "Frame"], Points]
"""A pattern: draws N places of it. Its geometry is drawn before its points, so that it does not depend on N."""

_ROUNDS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What a pattern needs to know of the wafer it falls on.

    Attributes:
        layout: the inspected dies.
    """

    layout: DieLayout

    @property
    def radius_um(self) -> float:
        """Length of one unit."""
        return self.layout.diameter_um / 2

    @property
    def reach(self) -> float:
        """Distance from the centre up to which the tool looks, just below 1."""
        return self.layout.reach_um / self.radius_um

    def rim(self) -> float:
        """Distance from the centre up to which the tool looks in half of all directions.

        Less than `reach` where only whole dies are inspected: the outline is then a staircase.
        """
        angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
        distance = np.linspace(0.6, self.reach, 60)
        seen = self.sees(
            np.stack([np.outer(distance, np.cos(angle)).ravel(), np.outer(distance, np.sin(angle)).ravel()])
        )
        outline = np.max(np.where(seen.reshape(60, 180), distance[:, None], 0.6), axis=0)
        return float(np.median(outline))

    @property
    def pitch(self) -> tuple[float, float]:
        """Width and height of a die."""
        return self.layout.pitch_um[0] / self.radius_um, self.layout.pitch_um[1] / self.radius_um

    @property
    def die_zero(self) -> tuple[float, float]:
        """Lower-left corner of die (0, 0)."""
        return -self.layout.centre_um[0] / self.radius_um, -self.layout.centre_um[1] / self.radius_um

    def in_um(self, points: Points) -> NDArray[np.float32]:
        """Places (2, N) in micrometres, at the precision wafer maps keep (float32: about 0.01 µm)."""
        return (points * self.radius_um).astype(np.float32)

    def sees(self, points: Points) -> NDArray[np.bool_]:
        """Tell for each place whether the tool looks at it, after rounding: a file never names a die it lacks."""
        x_um, y_um = self.in_um(points).astype(np.float64)
        return self.layout.covers(x_um, y_um)

    def fill(self, n: int, draw: Callable[[int], Points]) -> Points:
        """Draw until `n` places are ones the tool looks at (rejection sampling).

        Args:
            n: places wanted.
            draw: gives any number of independent places, on or off the wafer.

        Returns:
            float64 (2, n), all inspected.

        Raises:
            RuntimeError: the drawing hardly ever meets an inspected place: a mistake in its geometry.
        """
        kept: list[Points] = []
        missing, rate = n, 0.8
        for _ in range(_ROUNDS):
            if missing <= 0:
                return np.concatenate(kept, axis=1)[:, :n] if kept else np.empty((2, 0))
            asked = min(int(1.05 * missing / rate) + 16, 4 * n + 1024)
            batch = draw(asked)
            batch = batch[:, self.sees(batch)]
            kept.append(batch)
            missing -= batch.shape[1]
            rate = max(0.02, batch.shape[1] / asked)
        raise RuntimeError(f"drawing found only {n - missing} of {n} inspected places in {_ROUNDS} rounds")
