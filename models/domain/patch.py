"""A patch: the pixels of a window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from models.domain.tiling import Window

DENSITY_FULL = 1023
"""Defects per pixel that fill a wafer's channel 0; more than that look the same. A die map counts 1023 times the failed
share of the pixel's area, so that both kinds use the whole scale: 255 · log(1 + n) / log(1 + 1023)."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Pixels of one window.

    Attributes:
        window: where they are.
        pixels: uint8 (height, width, channels). Wafers: channel 0 defect density on a log scale, channel 1 inspected
            share; images: the bands of the file.
        inspected: share of the window that was inspected, 0..1; padding and areas no tool looked at do not count.
    """

    window: Window
    pixels: NDArray[np.uint8]
    inspected: float

    def __post_init__(self) -> None:
        """Check shape and dtype once.

        Raises:
            InputError: pixels do not fit the window.
        """
        expected = (self.window.height, self.window.width)
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[:2] != expected:
            raise InputError(
                "pixels do not fit the window",
                expected=f"uint8 {expected} + channels",
                got=f"{self.pixels.dtype} {self.pixels.shape}",
            )
