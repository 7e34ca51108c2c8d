"""What a tool would report of each defect besides its place: size, class, bins."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.lines import LINE_PATTERNS

CLASSES: Mapping[int, str] = {
    0: "Unclassified",
    1: "Particle",
    2: "Scratch",
    3: "Residue",
    4: "Pit",
    5: "Fall-on",
    17: "Nuisance",
}
"""Class numbers in use; sparse, as in real files."""

_SCRATCH = 2


@dataclass(frozen=True, slots=True, eq=False)
class DefectColumns:
    """Columns of N defects.

    Attributes:
        x_size_um: float64 (N,), width of the box around the defect.
        y_size_um: float64 (N,), its height.
        size_um: float64 (N,), the longer of both.
        area_um2: float64 (N,), of the defect itself, at most that of the box.
        class_number: int32 (N,), keys of CLASSES.
        rough_bin: int32 (N,), coarse size bin 1 .. 4.
    """

    x_size_um: NDArray[np.float64]
    y_size_um: NDArray[np.float64]
    size_um: NDArray[np.float64]
    area_um2: NDArray[np.float64]
    class_number: NDArray[np.int32]
    rough_bin: NDArray[np.int32]


def draw_columns(rng: np.random.Generator, pattern: str, in_pattern: NDArray[np.bool_]) -> DefectColumns:
    """Draw columns for the defects of a wafer.

    Sizes are log-normal around 0.4 µm with a long tail, those of scratches longer. On four wafers of ten somebody
    classified a part of the defects; else all are class 0. Classes say little of the pattern, as in production.

    Args:
        rng: source of randomness.
        pattern: of the wafer.
        in_pattern: bool (N,), which defects belong to it.
    """
    n = len(in_pattern)
    scratched = in_pattern if pattern in LINE_PATTERNS else np.zeros(n, dtype=np.bool_)
    size = np.clip(0.4 * np.exp(0.7 * rng.standard_normal(n)) * np.where(scratched, 3.0, 1.0), 0.05, 200.0)
    size = np.round(size, 3)
    other = np.maximum(0.02, np.round(size * rng.uniform(0.3, 1.0, n), 3))
    wide = rng.random(n) < 0.5
    classes = np.zeros(n, dtype=np.int32)
    if rng.random() < 0.4:
        reviewed = rng.random(n) < rng.uniform(0.05, 0.9)
        drawn = rng.choice(np.array([1, 3, 4, 5, 17], dtype=np.int32), n, p=[0.5, 0.15, 0.1, 0.15, 0.1])
        classes = np.where(reviewed, np.where(scratched & (rng.random(n) < 0.7), _SCRATCH, drawn), 0).astype(np.int32)
    return DefectColumns(
        x_size_um=np.where(wide, size, other),
        y_size_um=np.where(wide, other, size),
        size_um=size,
        area_um2=np.round(size * other * rng.uniform(0.5, 0.9, n), 6),
        class_number=classes,
        rough_bin=(1 + np.searchsorted([0.3, 1.0, 5.0], size)).astype(np.int32),
    )
