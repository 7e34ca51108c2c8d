"""Parquet and NPZ, which hold die maps or points: told apart by the names of their columns. Decoded in the child."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Provenance
from models.domain.errors import InputError, UnsafeInputError
from pipelines.ingestion.formats.found import FoundWafer, check_grid, checked_states
from pipelines.ingestion.formats.points import PointColumns, Table, found_points
from pipelines.ingestion.isolation import decode
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.sources import SourceFile

_DIE_COLUMNS = {"height", "width", "map"}
_LOT_COLUMNS = ("lot", "lotName", "lot_group")
_WAFER_COLUMNS = ("wafer", "waferIndex", "row")
_MIXEDWM38_MAPS = ("arr_0", "maps", "waferMap")


@dataclass(frozen=True, slots=True, eq=False)
class FoundWafers:
    """The wafers of a file: how many, and one after the other; broken ones raise when they are reached."""

    count: int
    wafers: Iterator[FoundWafer]


def read_parquet(source: SourceFile, columns: PointColumns, limits: Limits) -> FoundWafers:
    """Die maps (`height, width, map`) or points (as `columns` says) of a Parquet file.

    Raises:
        RetryableError: truncated.
        InputError: neither kind of columns, or broken.
        UnsafeInputError: more than the limits allow.
    """
    bounds = {"rows": limits.defects, "max_columns": limits.columns}
    (reply,) = decode("parquet-schema", source.path, bounds, where=source.name, limits=limits)
    names, rows = list(reply.meta["columns"]), int(reply.meta["rows"])
    if set(names) >= _DIE_COLUMNS:
        if rows > limits.members:
            raise UnsafeInputError(
                "too many wafers for one inspection",
                where=source.name,
                expected=f"at most {limits.members}",
                got=str(rows),
                remedy="raise the limit, or use `waferwatch dataset import wafers-parquet`",
                code="too-many",
            )
        wanted = [name for name in names if name in {*_DIE_COLUMNS, *_LOT_COLUMNS, *_WAFER_COLUMNS}]
        return FoundWafers(rows, _parquet_dies(source, wanted, bounds, limits))
    wanted = columns.wanted(names, source.name)
    parts: dict[str, list[Any]] = {name: [] for name in wanted}
    for batch in decode(
        "parquet-rows", source.path, {**bounds, "columns": wanted, "batch": 1 << 18}, where=source.name, limits=limits
    ):
        for name in wanted:
            parts[name].append(batch.arrays[name] if name in batch.arrays else np.array(batch.meta[name], object))
    found = found_points({name: _joined(some) for name, some in parts.items()}, columns, source.name, limits)
    return FoundWafers(len(found), iter(found))


def read_npz(source: SourceFile, columns: PointColumns, limits: Limits) -> FoundWafers:
    """Die maps or points of an NPZ file.

    Die maps: one array (N, rows, columns) or (rows, columns) of the states 0, 1, 2, called `arr_0` (as in MixedWM38) or
    `maps`. Points: one array per column (as `columns` says).

    Raises:
        RetryableError: truncated.
        InputError: neither, or broken.
        UnsafeInputError: pickled objects, or more than the limits allow.
    """
    bounds = {"limit": limits.expanded_bytes(source.size), "members": 1000}
    shapes = {
        reply.meta["name"]: tuple(reply.meta["shape"])
        for reply in decode("npz", source.path, {**bounds, "only": []}, where=source.name, limits=limits)
        if "name" in reply.meta
    }
    maps = next((name for name in _MIXEDWM38_MAPS if len(shapes.get(name, ())) in (2, 3)), None)
    if maps is not None:
        shape = shapes[maps]
        count = shape[0] if len(shape) == 3 else 1
        check_grid(shape[-2], shape[-1], limits.dies, source.name)
        if count > limits.members:
            raise UnsafeInputError(
                "too many wafers for one inspection", where=source.name, expected=f"at most {limits.members}",
                got=str(count), code="too-many",
            )  # fmt: skip
        return FoundWafers(count, _npz_dies(source, maps, len(shape) == 2, bounds, limits))
    wanted = columns.wanted(list(shapes), source.name)
    table = _npz_table(source, wanted, bounds, limits)
    found = found_points(table, columns, source.name, limits)
    return FoundWafers(len(found), iter(found))


def read_pickle(source: SourceFile, limits: Limits) -> FoundWafers:
    """Die maps of a pickled pandas table in the columns of WM-811K (see `decoding.pickles`).

    Raises:
        UnsafeInputError: the pickle names anything but pandas and NumPy data.
        InputError: no such table.
        RetryableError: truncated.
    """
    found = []
    for reply in decode("pickle", source.path, {"rows": limits.members}, where=source.name, limits=limits):
        sizes = reply.arrays["heights"] * reply.arrays["widths"]
        maps = np.split(reply.arrays["states"], np.cumsum(sizes)[:-1])
        for i, states in enumerate(maps):
            shape = int(reply.arrays["heights"][i]), int(reply.arrays["widths"][i])
            check_grid(*shape, limits.dies, source.name)
            lot, wafer = reply.meta["lots"][i] or None, reply.meta["wafers"][i] or None
            dies, warnings = checked_states(states.reshape(shape), f"wafer {wafer}")
            found.append(FoundWafer(dies, Provenance(lot=lot, wafer=wafer), warnings=warnings))
    if not found:
        raise InputError("table without wafers", where=source.name, code="empty-map")
    return FoundWafers(len(found), iter(found))


def _parquet_dies(
    source: SourceFile, wanted: list[str], bounds: Mapping[str, int], limits: Limits
) -> Iterator[FoundWafer]:
    lot_column = next((name for name in _LOT_COLUMNS if name in wanted), None)
    wafer_column = next((name for name in _WAFER_COLUMNS if name in wanted), None)
    row = 0
    arguments = {**bounds, "columns": wanted, "batch": 1024}
    for reply in decode("parquet-rows", source.path, arguments, where=source.name, limits=limits):
        begin = 0
        if "map.ends" not in reply.arrays or not {"height", "width"} <= reply.arrays.keys():
            raise InputError(
                "wafer table with odd columns", where=source.name, expected="height, width: int; map: binary"
            )
        for i, end in enumerate(reply.arrays["map.ends"].tolist()):
            where = f"{source.name} row {row}"
            shape = int(reply.arrays["height"][i]), int(reply.arrays["width"][i])
            check_grid(*shape, limits.dies, where)
            if end - begin != shape[0] * shape[1]:
                raise InputError(
                    "wafer map of the wrong size",
                    where=where,
                    expected=f"{shape[0]} x {shape[1]}",
                    got=str(end - begin),
                )
            dies, warnings = checked_states(reply.arrays["map"][begin:end].reshape(shape), where)
            provenance = Provenance(lot=_cell(reply, lot_column, i), wafer=_cell(reply, wafer_column, i))
            yield FoundWafer(dies, provenance, warnings=warnings)
            begin, row = end, row + 1


def _npz_dies(
    source: SourceFile, name: str, single: bool, bounds: Mapping[str, int], limits: Limits
) -> Iterator[FoundWafer]:
    row, rows = 0, []
    for reply in decode("npz", source.path, {**bounds, "only": [name]}, where=source.name, limits=limits):
        if "rows" not in reply.arrays:
            continue
        values = reply.arrays["rows"]
        if values.size and (values.min() < 0 or values.max() > 255):
            raise InputError("unknown die state", where=source.name, expected="0 no die | 1 pass | 2 fail")
        states = values.astype(np.uint8)
        if single:
            rows.append(states)
            continue
        for one in states:
            dies, warnings = checked_states(one, f"{source.name} map {row}")
            yield FoundWafer(dies, Provenance(wafer=str(row)), warnings=warnings)
            row += 1
    if single:
        dies, warnings = checked_states(np.concatenate(rows), source.name)
        yield FoundWafer(dies, warnings=warnings)


def _npz_table(source: SourceFile, wanted: list[str], bounds: Mapping[str, int], limits: Limits) -> Table:
    table: dict[str, list[NDArray[Any]]] = {}
    current = ""
    for reply in decode("npz", source.path, {**bounds, "only": wanted}, where=source.name, limits=limits):
        if "name" in reply.meta:
            current = str(reply.meta["name"])
            if "texts" in reply.meta:
                table[current] = [np.array(reply.meta["texts"], object)]
        if "rows" in reply.arrays:
            table.setdefault(current, []).append(reply.arrays["rows"].reshape(-1))
    return {name: _joined(table.get(name, [])) for name in wanted}


def _joined(parts: list[Any]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def _cell(reply: Any, column: str | None, row: int) -> str | None:
    if column is None:
        return None
    if column in reply.arrays:
        return str(reply.arrays[column][row])
    values = reply.meta.get(column)
    return None if values is None or values[row] is None else str(values[row])
