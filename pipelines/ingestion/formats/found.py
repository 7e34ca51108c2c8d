"""A wafer as a file reader found it, before it becomes a capture; and what formats of die maps have in common."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Provenance, ReadWarning
from models.domain.errors import InputError, UnsafeInputError
from pipelines.ingestion.wafer_maps import FAIL, NO_DIE, PASS, DieMap, PointMap

NOMINAL_DIAMETER_UM = 300_000.0
"""Extent given to wafers whose files know only rows and columns of dies; nothing is measured with it."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundWafer:
    """One wafer of a file.

    Attributes:
        content: its dies or its defects.
        provenance: what the file says of it.
        diameter_um: None = the file does not say.
        warnings: what was odd.
    """

    content: DieMap | PointMap
    provenance: Provenance = field(default_factory=Provenance)
    diameter_um: float | None = None
    warnings: tuple[ReadWarning, ...] = ()


def checked_states(states: NDArray[np.uint8], where: str) -> tuple[DieMap, tuple[ReadWarning, ...]]:
    """A die map from the numbers 0, 1, 2.

    Other numbers (a few maps of MixedWM38 hold a 3 that nobody explains) say neither pass nor fail: such dies count as
    not tested, with a warning.
    """
    strange = int(np.count_nonzero(states > FAIL))
    if not strange:
        return DieMap(states), ()
    message = f"{where}: {strange} dies in a state other than 0, 1, 2 count as not tested"
    return DieMap(np.where(states > FAIL, NO_DIE, states).astype(np.uint8)), (
        ReadWarning("unknown-die-state", message),
    )


def check_grid(rows: int, columns: int, limit: int, where: str) -> None:
    """Refuse grids without dies, or with too many.

    Raises:
        InputError: no rows or no columns.
        UnsafeInputError: more than `limit` places.
    """
    if rows < 1 or columns < 1:
        raise InputError("die map without dies", where=where, got=f"{rows} rows x {columns} columns")
    if rows * columns > limit:
        raise UnsafeInputError(
            "die map is too big",
            where=where,
            expected=f"at most {limit} places",
            got=f"{rows} rows x {columns} columns",
            code="too-many",
        )


@dataclass(frozen=True, slots=True)
class BinCodes:
    """What the codes of a map of bins mean; codes are compared without case and leading zeros."""

    good: Collection[str]
    bad: Collection[str]
    absent: Collection[str]

    def states(self, rows: Sequence[Sequence[str]], where: str) -> tuple[DieMap, tuple[ReadWarning, ...]]:
        """Die states of rows of codes, all equally long.

        A code that is neither good, bad nor absent counts as failed, with a warning: a missed defect is worse than a
        false one.
        """
        meaning = {
            **{plain(code): FAIL for code in self.bad},
            **{plain(code): PASS for code in self.good},
            **{plain(code): NO_DIE for code in self.absent},
        }
        unknown = {code for row in rows for code in row if plain(code) not in meaning}
        table = np.array([[meaning.get(plain(code), FAIL) for code in row] for row in rows], np.uint8)
        warnings: tuple[ReadWarning, ...] = ()
        if unknown and self.bad:
            shown = ", ".join(sorted(unknown)[:8])
            warnings = (ReadWarning("unknown-bin", f"{where}: bins that the file does not define failed: {shown}"),)
        return DieMap(table), warnings


def plain(code: str) -> str:
    """A bin code without case and leading zeros: files define bin 1 and write 01."""
    return code.upper().lstrip("0") or "0"


def split_row(text: str, columns: int, width: int) -> list[str]:
    """Codes of one row: separated by blanks, or of fixed width.

    Args:
        text: the row.
        columns: how many codes there must be; 0 = not known.
        width: of a code where it is not separated and columns are not known.

    Raises:
        ValueError: they cannot be told apart.
    """
    codes = text.split()
    if len(codes) > 1 and (not columns or len(codes) == columns):
        return codes
    joined = "".join(codes)
    size = len(joined) // columns if columns else width
    if size < 1 or len(joined) != size * (columns or len(joined) // size):
        raise ValueError(f"{len(joined)} characters for {columns} dies")
    return [joined[i : i + size] for i in range(0, len(joined), size)]


def notch_down(states: NDArray[np.uint8], clockwise_from_top: int) -> NDArray[np.uint8]:
    """Turn a map so that its notch lies at the bottom.

    Args:
        states: (rows, columns).
        clockwise_from_top: where the notch is now, degrees: 0 top, 90 right, 180 bottom, 270 left.
    """
    return np.ascontiguousarray(np.rot90(states, k=(clockwise_from_top - 180) // 90 % 4))


def several(warnings: Iterable[tuple[ReadWarning, ...]]) -> tuple[ReadWarning, ...]:
    """All warnings in one tuple."""
    return tuple(warning for some in warnings for warning in some)
