"""What a KLARF file means: lots of wafers, what was inspected on each, and its defects.

    Klarf ── wafers ── Wafer ── defects (columns)    tests (what was inspected)    summary (what the tool counted)
      └── parts: the file in its own order, which is what is written back

Lengths are micrometres and areas µm² in both dialects, except defect columns, which stay as the file has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Provenance, ReadWarning
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import DefectRows, Part

Direction = Literal["DOWN", "LEFT", "UP", "RIGHT"]


@dataclass(frozen=True, slots=True, eq=False)
class InspectionTest:
    """One pass of the tool over the wafer.

    Attributes:
        number: as defects name it in column TEST.
        area_um2: inspected area of the whole test.
        dies: (D, 2) int32, indices (x, y) of the dies inspected; None = the file does not say.
    """

    number: int
    area_um2: float | None = None
    dies: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class InspectionSummary:
    """What the tool counted in one test; None = it does not say."""

    test: int
    defects: int | None = None
    density_per_cm2: float | None = None
    dies: int | None = None
    defective_dies: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A pair of lengths in micrometres."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, eq=False)
class Wafer:
    """One inspected wafer; what its lot says of all wafers is repeated here.

    Attributes:
        provenance: lot, wafer, slot, product, step, tool, time.
        defects: all its defects, in the order of the file.
        rows: where in the file's tables they are.
        unit_um: micrometres per unit of the defects' length columns: 1 (flat) or 0.001 (nested).
        diameter_um: None = the file does not say, or the sample is no disc.
        die_pitch_um: step from die to die.
        die_origin_um: offset of the die-local origin.
        centre_um: wafer centre from the origin of die (0, 0).
        mark: where the notch or flat is in the file's frame; None = not said, or a word we do not know.
        mirrored: the file says that x is mirrored.
        centred: the file says that XREL and YREL count from the wafer centre.
        side: "FRONT", "BACK" or "".
        classes: class number → name.
        tests: what was inspected.
        all_dies: (D, 2) int32, every die of the wafer, inspected or not; None = not said.
        summary: what the tool counted.
        line: where the wafer starts in the file; 0 = not from a file.
    """

    provenance: Provenance
    defects: Defects = field(default_factory=Defects)
    rows: tuple[DefectRows, ...] = ()
    unit_um: float = 1.0
    diameter_um: float | None = None
    die_pitch_um: Point | None = None
    die_origin_um: Point = Point(0.0, 0.0)
    centre_um: Point | None = None
    mark: Direction | None = None
    mirrored: bool = False
    centred: bool = False
    side: str = ""
    classes: Mapping[int, str] = field(default_factory=dict)
    tests: tuple[InspectionTest, ...] = ()
    all_dies: NDArray[np.int32] | None = None
    summary: tuple[InspectionSummary, ...] = ()
    line: int = 0

    @property
    def inspected_dies(self) -> NDArray[np.int32] | None:
        """(D, 2) int32, indices of the dies that any test inspected, sorted; None = the file does not say.

        Inspected and clean is information; not inspected is not zero defects.
        """
        plans = [test.dies for test in self.tests if test.dies is not None]
        return np.unique(np.concatenate(plans), axis=0) if plans else None


@dataclass(frozen=True, slots=True)
class Lot:
    """Wafers that follow each other in the file under one lot."""

    id: str | None
    wafers: tuple[Wafer, ...]


@dataclass(frozen=True, slots=True)
class Klarf:
    """A KLARF file. Equal files say the same things in the same order; spacing and number style do not count.

    Attributes:
        version: "1.0" … "1.3" (flat) or "1.8" (nested).
        parts: the file in its own order.
        tables: the defects that `DefectRows` among the parts point into.
        wafers: what the parts mean.
        warnings: what was odd about the file.
    """

    version: str
    parts: tuple[Part, ...]
    tables: tuple[Defects, ...] = ()
    wafers: tuple[Wafer, ...] = field(default=(), compare=False)
    warnings: tuple[ReadWarning, ...] = field(default=(), compare=False)

    @property
    def nested(self) -> bool:
        """True for the dialect of 1.8."""
        return self.version == "1.8"

    @property
    def lots(self) -> tuple[Lot, ...]:
        """The wafers lot by lot."""
        groups = groupby(self.wafers, key=lambda wafer: wafer.provenance.lot)
        return tuple(Lot(lot, tuple(wafers)) for lot, wafers in groups)
