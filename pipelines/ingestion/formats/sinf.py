"""SINF: one wafer as text, `KEY:VALUE` lines and a `RowData:` line of bin codes for each row of dies, top row first.

`__` is no die, `@@` a die that was not tested; both have as many characters as a code. BCEQU lists the good bins.
"""

import re

import numpy as np

from models.domain.capture import Provenance, ReadWarning
from models.domain.errors import InputError, RetryableError
from pipelines.ingestion.formats.found import BinCodes, FoundWafer, check_grid, notch_down, split_row
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.wafer_maps import DieMap

_QUARTERS = {"0": 0, "90": 90, "180": 180, "270": 270}


def read_sinf(text: str, where: str, limits: Limits) -> FoundWafer:
    """Read a SINF file.

    Args:
        text: of the file.
        where: its name, for messages.
        limits: `dies` counts.

    Raises:
        RetryableError: rows are missing: the file is still being written.
        InputError: rows or columns do not fit what the header says.
        UnsafeInputError: too many dies.
    """
    header, rows = _lines(text)
    tall, wide = _number(header, "ROWCT", where), _number(header, "COLCT", where)
    check_grid(tall, wide, limits.dies, where)
    if len(rows) < tall:
        raise RetryableError(
            "SINF file ends too early",
            where=where,
            expected=f"{tall} rows of dies",
            got=str(len(rows)),
            code="truncated",
        )
    if len(rows) > tall:
        raise InputError("more rows than ROWCT says", where=where, expected=str(tall), got=str(len(rows)))
    codes = []
    for number, (line, row) in enumerate(rows):
        try:
            codes.append(split_row(row, wide, 2))
        except ValueError as error:
            missing = RetryableError if number == tall - 1 and not text.endswith(("\n", "\r")) else InputError
            raise missing(
                "row of dies does not fit COLCT",
                where=f"{where}:{line}",
                expected=f"{wide} codes",
                got=str(error),
                code="truncated" if missing is RetryableError else "row-width",
            ) from error
    warnings = []
    good = [code for code in re.split(r"[\s,;]+", header.get("BCEQU", "")) if code]
    if not good:
        good = ["0", "1"]
        warnings.append(ReadWarning("assumed-good-bins", f"{where}: no BCEQU; bins 0 and 1 count as good"))
    absent = [mark * width for mark in "_@." for width in (1, 2, 3, 4)]
    dies, _ = BinCodes(good, (), absent).states(codes, where)
    place = _QUARTERS.get(header.get("FNLOC", "180"))
    if place is None:
        warnings.append(ReadWarning("unknown-notch", f"{where}: FNLOC {header['FNLOC'][:40]}; not turned"))
    states = notch_down(dies.states, 180 if place is None else place)
    provenance = Provenance(
        lot=header.get("LOT") or None, wafer=header.get("WAFER") or None, product=header.get("DEVICE") or None
    )
    return FoundWafer(DieMap(np.ascontiguousarray(states)), provenance, None, tuple(warnings))


def _lines(text: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Header values, and rows with the line on which each begins; a line without a key goes on with the row before."""
    header: dict[str, str] = {}
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        key, colon, value = line.partition(":")
        key = key.strip().upper()
        if not colon:
            if line.strip() and rows:
                rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line}")
        elif key == "ROWDATA":
            rows.append((number, value))
        else:
            header.setdefault(key, value.strip()[:4096])
    return header, rows


def _number(header: dict[str, str], key: str, where: str) -> int:
    value = header.get(key, "")
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise InputError("SINF header without a size", where=where, expected=f"{key}: a whole number", got=value[:40])
    return int(value)
