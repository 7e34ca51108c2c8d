"""Defects as columns: one array per column, never one object per defect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.columns import canonical, is_image_column
from pipelines.ingestion.formats.klarf.document import ColumnType

_IMAGE_PARTS = ("row", "page", "kind", "file", "format")


def no_text() -> NDArray[Any]:
    """An empty array of strings."""
    return np.empty(0, np.dtypes.StringDType())


def no_numbers() -> NDArray[np.int32]:
    """An empty array of whole numbers."""
    return np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """References to pictures of defects, K in all, in the order of the file.

    Attributes:
        row: (K,) int32, the defect's ordinal in its table; never falls.
        page: (K,) int32, page in the file; whether it counts from 0 or 1 varies with the tool.
        kind: (K,) strings, what the picture shows ("Patch", or a number in the flat dialect).
        file: (K,) strings, name as written, **not safe to open**: see `image_paths`; '' = none was named.
        format: (K,) strings, such as "TIF"; '' in the flat dialect.
    """

    row: NDArray[np.int32] = field(default_factory=no_numbers)
    page: NDArray[np.int32] = field(default_factory=no_numbers)
    kind: NDArray[Any] = field(default_factory=no_text)
    file: NDArray[Any] = field(default_factory=no_text)
    format: NDArray[Any] = field(default_factory=no_text)

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: the arrays differ in length or the rows are not in order.
        """
        if len({len(array) for array in (self.row, self.page, self.kind, self.file, self.format)}) != 1 or (
            np.any(np.diff(self.row) < 0)
        ):
            raise InputError("image references do not fit together", expected="equal lengths, rows in order")

    @classmethod
    def joined(cls, pieces: "Sequence[Images]") -> "Images":
        """The references of these pieces, one after the other."""
        if not pieces:
            return cls()
        return cls(*(np.concatenate([getattr(piece, part) for piece in pieces]) for part in _IMAGE_PARTS))

    def __len__(self) -> int:
        """Number of references."""
        return len(self.row)

    def __eq__(self, other: object) -> bool:
        """Equal content."""
        if not isinstance(other, Images):
            return NotImplemented
        return all(np.array_equal(getattr(self, part), getattr(other, part)) for part in _IMAGE_PARTS)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """A table of N defects.

    Attributes:
        layout: the columns in the order of the file, image columns included.
        columns: name in capitals → (N,) array: int32 or int64, float64 with NaN where the file says NA, or strings
            (numpy's StringDType). In the file's own units: see `Wafer.unit_um`. Image columns are in `images`.
        images: references to pictures.
    """

    layout: tuple[ColumnType, ...] = ()
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    images: Images = field(default_factory=Images)

    def __post_init__(self) -> None:
        """Bring every column to its canonical dtype and check that they fit together.

        Raises:
            InputError: a column is missing, too much, or of another length.
        """
        plain = [column for column in self.layout if not is_image_column(column)]
        if [column.name for column in plain] != list(self.columns):
            raise InputError(
                "defect columns do not match their layout",
                expected=" ".join(column.name for column in plain),
                got=" ".join(self.columns),
            )
        if len({len(array) for array in self.columns.values()}) > 1:
            raise InputError(
                "defect columns differ in length",
                got=", ".join(f"{name} {len(array)}" for name, array in self.columns.items()),
            )
        tidy = {column.name: canonical(column, self.columns[column.name]) for column in plain}
        object.__setattr__(self, "columns", MappingProxyType(tidy))

    def __len__(self) -> int:
        """Number of defects."""
        return next((len(array) for array in self.columns.values()), 0)

    def __eq__(self, other: object) -> bool:
        """Same columns in the same order with the same values; two NA are the same."""
        if not isinstance(other, Defects):
            return NotImplemented
        return (
            self.layout == other.layout
            and self.images == other.images
            and all(_same(mine, other.columns[name]) for name, mine in self.columns.items())
        )

    __hash__ = None  # type: ignore[assignment]


def _same(mine: NDArray[Any], theirs: NDArray[Any]) -> bool:
    return mine.dtype == theirs.dtype and np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
