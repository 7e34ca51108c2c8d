"""What a wafer file says, as data and not as pixels: points where defects lie, or a grid of dies.

One frame for all: micrometres from the wafer's centre, notch down, x to the right, y up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.ingestion.point_index import PointIndex, fractions

NO_DIE = 0
PASS = 1
FAIL = 2


@dataclass(frozen=True, eq=False)
class DieGrid:
    """The dies a tool looked at, equal if they lie at the same places. No dies means that nothing was inspected.

    Attributes:
        x_um: float64 (D,), lower-left corners, micrometres from the wafer's centre.
        y_um: float64 (D,), likewise; y up.
        pitch_um: width and height of a die including its street, micrometres.
    """

    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    pitch_um: tuple[float, float]

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: lengths differ, a corner is not finite, or the pitch is not positive.
        """
        if self.x_um.shape != self.y_um.shape or self.x_um.ndim != 1:
            raise InputError("die corners do not pair up", got=f"{self.x_um.shape} x and {self.y_um.shape} y")
        if not (np.isfinite(self.x_um).all() and np.isfinite(self.y_um).all()):
            raise InputError("die corners are not finite")
        if not all(0 < step < float("inf") for step in self.pitch_um):
            raise InputError("die pitch is not positive", expected="micrometres > 0", got=str(self.pitch_um))

    def __len__(self) -> int:
        """Number of inspected dies."""
        return len(self.x_um)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DieGrid) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @cached_property
    def _content(self) -> tuple[bytes, bytes, tuple[float, float]]:
        return self.x_um.tobytes(), self.y_um.tobytes(), self.pitch_um


@dataclass(frozen=True, eq=False)
class Pictures:
    """References to pictures the tool took of defects, K in all.

    Attributes:
        defect: int32 (K,), which defect of the map; never falls.
        page: int32 (K,), page in its file; whether it counts from 0 or 1 varies with the tool.
        file: (K,) strings, names as written in the wafer's file, **not safe to open** (see `klarf.image_paths`).
    """

    defect: NDArray[np.int32]
    page: NDArray[np.int32]
    file: NDArray[Any]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.defect)

    def of(self, defect: int) -> slice:
        """Which of them show a defect."""
        begin, end = np.searchsorted(self.defect, [defect, defect + 1])
        return slice(int(begin), int(end))

    def place_in_file(self, picture: int, pages: int) -> int:
        """Which page of its file a picture is, from 0.

        Some tools count pages from 1, some from 0; then one of them is 0. Where the numbers do not fit the file, its
        pages are the pictures in their order.

        Args:
            picture: which of them.
            pages: how many there are in its file.
        """
        same = np.flatnonzero(self.file == self.file[picture])
        numbers = self.page[same]
        first = min(int(numbers.min()), 1)
        if first >= 0 and numbers.max() - first < pages:
            return int(self.page[picture]) - first
        return min(int(np.searchsorted(same, picture)), pages - 1)


@dataclass(frozen=True, eq=False)
class PointMap:
    """A wafer as the places of its defects.

    Attributes:
        x_um: float32 (N,), micrometres from the wafer's centre, to the right.
        y_um: float32 (N,), micrometres from the wafer's centre, up (away from the notch).
        diameter_um: of the wafer; the frame is the square around it.
        inspected: the dies that were looked at; None = the whole disc.
        columns: what else the file says of each defect, name -> (N,).
        pictures: that the tool took of defects; None = the file names none.
    """

    x_um: NDArray[np.float32]
    y_um: NDArray[np.float32]
    diameter_um: float
    inspected: DieGrid | None = None
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    pictures: Pictures | None = None

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: lengths differ, a coordinate is not finite, or the diameter is not positive.
        """
        if self.x_um.shape != self.y_um.shape or self.x_um.ndim != 1:
            raise InputError("coordinates do not pair up", got=f"{self.x_um.shape} x and {self.y_um.shape} y")
        if not 0 < self.diameter_um < float("inf"):
            raise InputError("wafer without a diameter", expected="micrometres > 0", got=str(self.diameter_um))
        if not (np.isfinite(self.x_um).all() and np.isfinite(self.y_um).all()):
            raise InputError("defect coordinates are not finite")
        for name, values in self.columns.items():
            if len(values) != len(self.x_um):
                raise InputError("column of another length", where=name, expected=f"{len(self)}", got=f"{len(values)}")

    def __len__(self) -> int:
        """Number of defects."""
        return len(self.x_um)

    @cached_property
    def positions(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """(row, column) of every defect as 31-bit fractions of the frame, in file order (see `point_index`)."""
        return fractions(-self.y_um, self.diameter_um), fractions(self.x_um, self.diameter_um)

    @cached_property
    def index(self) -> PointIndex:
        """The defects sorted by place; built at the first window that needs it, then kept."""
        return PointIndex.build(*self.positions)


@dataclass(frozen=True, eq=False)
class DieMap:
    """A wafer as the state of its dies.

    Attributes:
        states: uint8 (rows, columns), row 0 at the top: 0 no die or not tested, 1 pass, 2 fail.
    """

    states: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: not a two-dimensional uint8 array of the states 0, 1, 2.
        """
        if self.states.ndim != 2 or self.states.dtype != np.uint8 or 0 in self.states.shape:
            raise InputError(
                "not a die map", expected="uint8 (rows, columns)", got=f"{self.states.dtype} {self.states.shape}"
            )
        if self.states.max() > FAIL:
            raise InputError(
                "unknown die state", expected="0 no die | 1 pass | 2 fail", got=str(int(self.states.max()))
            )

    @property
    def inspected(self) -> int:
        """Number of dies that were tested."""
        return int(np.count_nonzero(self.states))

    @property
    def failed(self) -> int:
        """Number of dies that failed."""
        return int(np.count_nonzero(self.states == FAIL))
