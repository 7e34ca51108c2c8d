"""Points from tables: which columns are coordinates, in which unit, and which rows belong to one wafer.

Coordinates count from the wafer's centre, notch down, x to the right, y up.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray
from pydantic import ConfigDict

from models.domain.capture import Provenance, ReadWarning
from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion.formats.found import FoundWafer
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.wafer_maps import PointMap

Table = Mapping[str, NDArray[Any]]
_MAX_LINE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class PointColumns:
    """How a table of points is to be understood.

    Attributes:
        x: column with the place to the right of the wafer's centre.
        y: column with the place above it.
        unit_um: micrometres per unit of x and y.
        lot: column that names the lot, if the table has it.
        wafer: column that names the wafer, if the table has it.
        diameter: column with the wafer's diameter in micrometres, if the table has it.
        diameter_um: the diameter where the table does not say it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    x: str = "x_um"
    y: str = "y_um"
    unit_um: float = 1.0
    lot: str = "lot"
    wafer: str = "wafer"
    diameter: str = "diameter_um"
    diameter_um: float = 300_000.0

    def wanted(self, names: Sequence[str], where: str) -> list[str]:
        """The columns to read.

        Raises:
            InputError: there are no coordinates among them.
        """
        missing = [name for name in (self.x, self.y) if name not in names]
        if missing:
            raise InputError(
                "table without coordinates",
                where=where,
                expected=f"columns {self.x}, {self.y}, or for die maps height, width, map",
                got=", ".join(map(str, names))[:200],
                remedy="say which columns hold x and y, and their unit",
                code="no-coordinates",
            )
        return [name for name in names if name in (self.x, self.y, self.lot, self.wafer, self.diameter)]


def read_csv(path: Path, columns: PointColumns, where: str, limits: Limits) -> list[FoundWafer]:
    """Points of a CSV file; comma, semicolon or tab between cells, names in the first line.

    Raises:
        RetryableError: the last line is cut off: still being written.
        InputError: columns are missing, a line has another number of cells, or a cell is no number.
        UnsafeInputError: more columns or rows than the limits allow.
    """
    with path.open("rb") as stream:
        first = stream.readline(_MAX_LINE_BYTES)
        stream.seek(max(0, path.stat().st_size - 1))
        complete = stream.read(1) in (b"\n", b"\r")
    separator = max(",;\t", key=lambda mark: first.count(mark.encode()))
    names = [name.strip() for name in next(csv.reader([first.decode("utf-8-sig", "replace")], delimiter=separator))]
    if len(names) > limits.columns:
        raise UnsafeInputError("too many columns", where=where, expected=f"at most {limits.columns}", code="too-many")
    columns.wanted(names, where)
    layout = arrow_csv.ParseOptions(delimiter=separator)
    try:
        table = _table(path, names, layout, columns, limits.defects)
    except pa.ArrowException as error:
        if not complete:
            raise RetryableError("CSV file ends within a line", where=where, code="truncated") from error
        raise InputError("broken table", where=where, got=_first_line(error), code="broken-table") from error
    if table is None:
        raise UnsafeInputError("too many defects", where=where, expected=f"at most {limits.defects}", code="too-many")
    last = [table[name][-1:] for name in (columns.x, columns.y)]
    if not complete and len(last[0]) and not np.isfinite(last).all():
        raise RetryableError("CSV file ends within a line", where=where, code="truncated")
    return found_points(table, columns, where, limits)


def _table(
    path: Path, names: list[str], layout: arrow_csv.ParseOptions, columns: PointColumns, limit: int
) -> Table | None:
    """The wanted columns; None if there are more than `limit` rows."""
    texts = {columns.lot, columns.wafer}
    wanted = columns.wanted(names, path.name)
    kinds = {name: pa.binary() if name in texts else pa.float64() for name in wanted}
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in wanted}
    rows = 0
    with arrow_csv.open_csv(
        path,
        read_options=arrow_csv.ReadOptions(
            column_names=names, skip_rows=1, block_size=_MAX_LINE_BYTES, use_threads=False
        ),
        parse_options=layout,
        convert_options=arrow_csv.ConvertOptions(include_columns=wanted, column_types=kinds, check_utf8=False),
    ) as reader:
        for batch in reader:
            rows += batch.num_rows
            if rows > limit:
                return None
            for name in wanted:
                parts[name].append(batch.column(name).to_numpy(zero_copy_only=False))
    return {name: np.concatenate(some) if some else np.zeros(0) for name, some in parts.items()}


def found_points(table: Table, columns: PointColumns, where: str, limits: Limits) -> list[FoundWafer]:
    """The wafers of a table of points, in the order in which they first occur.

    Raises:
        InputError: columns of different lengths, or a coordinate that is no finite number.
        UnsafeInputError: too many points or wafers.
    """
    lengths = {len(values) for values in table.values()}
    if len(lengths) != 1:
        raise InputError("columns of different lengths", where=where, got=str(sorted(lengths)))
    (rows,) = lengths
    if rows > limits.defects:
        raise UnsafeInputError("too many defects", where=where, expected=f"at most {limits.defects}", code="too-many")
    x, y = (_numbers(table[name], name, where) * columns.unit_um for name in (columns.x, columns.y))
    lots, lot_of = _names(table.get(columns.lot), rows)
    wafers, wafer_of = _names(table.get(columns.wafer), rows)
    keys = lot_of * max(len(wafers), 1) + wafer_of
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) > limits.members:
        raise UnsafeInputError("too many wafers", where=where, expected=f"at most {limits.members}", code="too-many")
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=len(first)))
    found = []
    for k in np.argsort(first):
        some = order[ends[k - 1] if k else 0 : ends[k]]
        provenance = Provenance(lot=lots[lot_of[some[0]]], wafer=wafers[wafer_of[some[0]]])
        diameter, warnings = _diameter(table, columns, some, where)
        points = PointMap(x[some].astype(np.float32), y[some].astype(np.float32), diameter)
        found.append(FoundWafer(points, provenance, diameter, (*warnings, *gates(points, where))))
    return found or [FoundWafer(PointMap(x.astype(np.float32), y.astype(np.float32), columns.diameter_um))]


def gates(points: PointMap, where: str) -> tuple[ReadWarning, ...]:
    """Warnings about places that cannot be right; such defects are kept."""
    if not len(points):
        return ()
    radius = np.hypot(points.x_um, points.y_um)
    half = points.diameter_um / 2
    warnings = []
    outside = int(np.count_nonzero(radius > half * 1.02))
    if outside:
        message = f"{where}: {outside} of {len(points)} defects lie outside of the wafer, up to {radius.max():.0f} um"
        warnings.append(ReadWarning("outside-wafer", message))
    middle = float(np.median(radius))
    if len(points) >= 20 and (middle > 100 * half or 0 < middle < half / 500):
        warnings.append(
            ReadWarning("suspicious-unit", f"{where}: defects lie {middle:.3g} um from the centre of {half:.0f} um")
        )
    return tuple(warnings)


def _numbers(values: NDArray[Any], name: str, where: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("coordinate that is no number", where=where, got=f"{name}: {error}"[:200]) from error
    broken = np.flatnonzero(~(np.abs(numbers) < 1e30))
    if len(broken):
        raise InputError(
            "coordinate that is no finite number",
            where=f"{where} row {int(broken[0]) + 1}",
            expected=f"{name}: a number",
            got=f"{numbers[broken[0]]} ({len(broken)} such rows)",
            code="no-coordinates",
        )
    return numbers


def _names(values: NDArray[Any] | None, rows: int) -> tuple[list[str | None], NDArray[np.int64]]:
    """Different names, and which one each row has."""
    if values is None:
        return [None], np.zeros(rows, np.int64)
    encoded = pa.array(values, from_pandas=True).dictionary_encode(null_encoding="encode")
    names = [None if name is None else _name(name) for name in encoded.dictionary.to_pylist()]
    return names or [None], encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _name(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _diameter(
    table: Table, columns: PointColumns, rows: NDArray[np.int64], where: str
) -> tuple[float, tuple[ReadWarning, ...]]:
    if columns.diameter not in table:
        message = f"{where}: no column {columns.diameter}; {columns.diameter_um / 1000:.0f} mm assumed"
        return columns.diameter_um, (ReadWarning("assumed-diameter", message),)
    said = np.unique(_numbers(table[columns.diameter][rows], columns.diameter, where))
    if len(said) != 1 or said[0] <= 0:
        raise InputError("wafer without one diameter", where=where, expected="one number > 0", got=str(said[:4]))
    return float(said[0]), ()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
