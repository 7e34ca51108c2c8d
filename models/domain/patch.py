"""A patch: the pixels of a window, or what they would be drawn from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from models.domain.tiling import Window

DENSITY_FULL = 1023
"""Defects per pixel that fill a wafer's channel 0; more than that look the same. A die map counts 1023 times the failed
share of the pixel's area, so that both kinds use the whole scale: 255 · log(1 + n) / log(1 + 1023)."""


def density_of(defects: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.uint8]:
    """Channel 0 of a wafer where so many defects, or so much failed area, lie in a pixel."""
    # The tiny addend lets 25.5 of one defect, which floats miss by a hair, round up on every machine.
    scaled = np.log1p(defects) * (255 / np.log1p(DENSITY_FULL)) + (0.5 + 1e-5)
    density: NDArray[np.uint8] = np.minimum(scaled, 255).astype(np.uint8)
    return density


COUNT_TO_DENSITY = density_of(np.arange(DENSITY_FULL + 1, dtype=np.float64))
"""Density of 0, 1, 2, … defects in a pixel; the last stands for all above it."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is in a window of a wafer known by its defects.

    Attributes:
        place: int32 (D,), the pixel of each defect, row by row.
        share: uint8 (height, width), how much of each pixel was inspected.
    """

    place: NDArray[np.int32]
    share: NDArray[np.uint8]

    def drawn(self) -> NDArray[np.uint8]:
        """Pixels, uint8 (height, width, 2)."""
        counts = np.bincount(self.place, minlength=self.share.size).reshape(self.share.shape)
        return np.stack([COUNT_TO_DENSITY[np.minimum(counts, DENSITY_FULL)], self.share], axis=-1)


@dataclass(frozen=True, eq=False)
class Patch:
    """Pixels of one window.

    Attributes:
        window: where they are.
        content: the pixels, uint8 (height, width, channels), or the scene they are drawn from when they are asked for.
        inspected: share of the window that was inspected, 0..1; padding and areas no tool looked at do not count.
    """

    window: Window
    content: NDArray[np.uint8] | Scene
    inspected: float

    def __post_init__(self) -> None:
        """Check shape and dtype once.

        Raises:
            InputError: the content does not fit the window.
        """
        expected = (self.window.height, self.window.width)
        shown = self.content.share[..., None] if isinstance(self.content, Scene) else self.content
        if shown.dtype != np.uint8 or shown.ndim != 3 or shown.shape[:2] != expected:
            raise InputError(
                "pixels do not fit the window",
                expected=f"uint8 {expected} + channels",
                got=f"{shown.dtype} {shown.shape}",
            )

    @property
    def channels(self) -> int:
        """Of its pixels."""
        return 2 if isinstance(self.content, Scene) else self.content.shape[2]

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 (height, width, channels). Wafers: defect density on a log scale, inspected share; images: bands."""
        return self.content.drawn() if isinstance(self.content, Scene) else self.content
