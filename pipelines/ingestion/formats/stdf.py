"""STDF V4: as much of it as says which die of which wafer passed. All other records are skipped by their length.

FAR byte order · MIR lot · WIR a wafer begins · PRR a part was tested (the last one of a die wins: retests) ·
HBR whether a bin is good · WRR the wafer ends · WCR how the coordinates run · MRR the file ends.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

import numpy as np

from models.domain.capture import Provenance, ReadWarning
from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion.formats.found import FoundWafer, check_grid, notch_down
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.wafer_maps import FAIL, PASS, DieMap

_FAR, _MIR, _MRR, _WIR, _WRR, _WCR, _PRR, _HBR = (
    (0, 10), (1, 10), (1, 20), (2, 10), (2, 20), (2, 30), (5, 20), (1, 40),
)  # fmt: skip
_MISSING = -32768
_UNIT_UM = {1: 25_400.0, 2: 10_000.0, 3: 1000.0, 4: 25.4}
_FLAT = {"U": 0, "R": 90, "D": 180, "L": 270}
_FAILED, _NO_VERDICT = 0x08, 0x10


@dataclass(slots=True)
class _Wafer:
    """One wafer while its parts come in: state by (x, y)."""

    name: str
    parts: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    unplaced: int = 0
    tested: int = 0


@dataclass(slots=True)
class _File:
    """What the file has said so far."""

    order: str
    lot: Provenance = field(default_factory=Provenance)
    good_bins: dict[int, bool] = field(default_factory=dict)
    diameter_um: float | None = None
    flat: str = " "
    right: bool = True
    up: bool = True
    open: dict[int, _Wafer] = field(default_factory=dict)
    done: list[_Wafer] = field(default_factory=list)
    warnings: list[ReadWarning] = field(default_factory=list)


def read_stdf(stream: BinaryIO, where: str, limits: Limits) -> list[FoundWafer]:
    """All wafers of a file.

    Raises:
        RetryableError: it ends within a record or without its master results: still being written.
        InputError: broken, or without any placed part.
        UnsafeInputError: too many parts or dies.
    """
    state = _File("<")
    ended = False
    parts = 0
    try:
        for kind, body in _records(stream, where, state):
            ended = ended or kind == _MRR
            parts += kind == _PRR
            if parts > limits.dies:
                raise UnsafeInputError(
                    "too many parts", where=where, expected=f"at most {limits.dies}", code="too-many"
                )
            _take(state, kind, body)
    except (struct.error, IndexError) as error:
        raise InputError("STDF record shorter than its fields", where=where, got=str(error)) from error
    if not ended:
        raise RetryableError("STDF file without its end", where=where, expected="an MRR record", code="truncated")
    wafers = [wafer for wafer in (*state.done, *state.open.values()) if wafer.parts]
    if not wafers:
        raise InputError("no die with a place", where=where, expected="PRR records with X and Y", code="empty-map")
    return [_found(wafer, state, where, limits) for wafer in wafers]


def _records(stream: BinaryIO, where: str, state: _File) -> Iterator[tuple[tuple[int, int], bytes]]:
    head = stream.read(6)
    if len(head) < 6:
        raise RetryableError("STDF file ends too early", where=where, code="truncated")
    cpu, version = head[4], head[5]
    if cpu not in (1, 2) or version != 4:
        raise InputError(
            "STDF of another kind", where=where, expected="V4 of CPU type 1 or 2", got=f"V{version} of CPU type {cpu}"
        )
    state.order = "<" if cpu == 2 else ">"
    wanted = {_MIR, _MRR, _WIR, _WRR, _WCR, _PRR, _HBR}
    header = struct.Struct(state.order + "HBB")
    while start := stream.read(4):
        if len(start) < 4:
            raise RetryableError("STDF file ends within a record", where=where, code="truncated")
        length, major, minor = header.unpack(start)
        body = stream.read(length)
        if len(body) < length:
            raise RetryableError("STDF file ends within a record", where=where, code="truncated")
        if (major, minor) in wanted:
            yield (major, minor), body


def _take(state: _File, kind: tuple[int, int], body: bytes) -> None:
    order = state.order
    if kind == _PRR:
        _part(state, body)
    elif kind == _WIR:
        _close(state, body[0])
        state.open[body[0]] = _Wafer(_text(body, 6))
    elif kind == _WRR:
        said = struct.unpack_from(order + "I", body, 6)[0]
        wafer = state.open.get(body[0])
        if wafer is not None and said not in (wafer.tested, 0xFFFFFFFF):
            state.warnings.append(
                ReadWarning("part-count", f"wafer {wafer.name}: {wafer.tested} parts read, its results say {said}")
            )
        _close(state, body[0])
    elif kind == _HBR:
        number = struct.unpack_from(order + "H", body, 2)[0]
        state.good_bins[number] = body[8:9] == b"P"
    elif kind == _MIR:
        state.lot = _lot(state, body)
    elif kind == _WCR:
        size, _, _, unit, flat = struct.unpack_from(order + "fffBc", body)
        state.diameter_um = size * _UNIT_UM[unit] if unit in _UNIT_UM and 0 < size < 1e6 else None
        state.flat = flat.decode("latin-1")
        state.right, state.up = body[18:19] != b"L", body[19:20] != b"D"


def _part(state: _File, body: bytes) -> None:
    head, _, flags, _, hard_bin, _, x, y = struct.unpack_from(state.order + "BBBHHHhh", body)
    wafer = state.open.setdefault(head, _Wafer(""))
    wafer.tested += 1
    if _MISSING in (x, y):
        wafer.unplaced += 1
        return
    # 0: ask the bin, whose record stands at the end of the file.
    verdict = 0 if flags & _NO_VERDICT else (FAIL if flags & _FAILED else PASS)
    wafer.parts[x, y] = (verdict, hard_bin)


def _close(state: _File, head: int) -> None:
    wafer = state.open.pop(head, None)
    if wafer is not None and wafer.tested:
        state.done.append(wafer)


def _lot(state: _File, body: bytes) -> Provenance:
    texts: list[str] = []
    place = 15
    while place < len(body) and len(texts) < 5:
        texts.append(_text(body, place))
        place += 1 + body[place]
    texts += [""] * (5 - len(texts))
    lot, product, tool, _, step = texts
    seconds = struct.unpack_from(state.order + "I", body, 4)[0]
    when = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds else None
    return Provenance(lot=lot or None, product=product or None, step=step or None, tool=tool or None, inspected_at=when)


def _text(body: bytes, place: int) -> str:
    """A text with its length in front; '' where the record is shorter."""
    if place >= len(body):
        return ""
    return body[place + 1 : place + 1 + body[place]].decode("latin-1").strip()


def _found(wafer: _Wafer, state: _File, where: str, limits: Limits) -> FoundWafer:
    places = np.array(list(wafer.parts), np.int64)
    low, high = places.min(axis=0), places.max(axis=0)
    columns, rows = (int(side) for side in high - low + 1)
    check_grid(rows, columns, limits.dies, f"{where} wafer {wafer.name}")
    states = np.zeros((rows, columns), np.uint8)
    x, y = (places - low).T
    verdicts = [
        verdict or (PASS if state.good_bins.get(hard_bin, False) else FAIL)
        for verdict, hard_bin in wafer.parts.values()
    ]
    states[y if not state.up else rows - 1 - y, x if state.right else columns - 1 - x] = verdicts
    warnings = [w for w in state.warnings if w.message.startswith(f"wafer {wafer.name}:")]
    if wafer.unplaced:
        warnings.append(
            ReadWarning("part-without-place", f"wafer {wafer.name}: {wafer.unplaced} parts without X and Y")
        )
    states = notch_down(states, _FLAT.get(state.flat, 180))
    lot = state.lot
    provenance = Provenance(
        lot=lot.lot,
        wafer=wafer.name or None,
        product=lot.product,
        step=lot.step,
        tool=lot.tool,
        inspected_at=lot.inspected_at,
    )
    return FoundWafer(DieMap(states), provenance, state.diameter_um, tuple(warnings))
