"""Files that are wrong on purpose, to show and test that the service refuses them with a reason."""

import io
from enum import StrEnum
from pathlib import Path

import numpy as np

from models.domain.errors import ConfigurationError
from pipelines.ingestion.formats.klarf import write_klarf
from pipelines.simulate.lots import simulated_lot
from pipelines.simulate.wafer import sample
from pipelines.simulate.writing import as_klarf

_DEFECTS = 400


class Breakage(StrEnum):
    """What is wrong with a file."""

    TRUNCATED = "truncated"
    """Cut in the middle of a defect row, as if the copy had stopped."""
    WRONG_COLUMNS = "wrong columns"
    """DefectRecordSpec counts one column more than it names."""
    WRONG_COUNT = "wrong count"
    """The summary claims defects but the list holds none."""
    GARBAGE = "garbage"
    """Random bytes under a result file's name."""


def broken_file(path: Path, kind: Breakage | str, seed: int = 0) -> Path:
    """Write a broken file.

    Args:
        path: where to; nothing may be there yet.
        kind: what is wrong with it.
        seed: the same seed gives the same bytes.

    Returns:
        `path`.

    Raises:
        ConfigurationError: unknown kind, or something is at that path already.
    """
    try:
        breakage = Breakage(kind)
    except ValueError as error:
        raise ConfigurationError("unknown breakage", expected=" | ".join(Breakage), got=str(kind)) from error
    content = _broken(breakage, seed)
    try:
        with path.open("xb") as stream:
            stream.write(content)
    except FileExistsError as error:
        raise ConfigurationError("will not write over a file", where=str(path), remedy="choose another name") from error
    return path


def _broken(kind: Breakage, seed: int) -> bytes:
    if kind is Breakage.GARBAGE:
        return np.random.default_rng(seed).bytes(4096)
    whole = _whole(seed)
    rows = whole.index(b"DefectList")
    end = whole.index(b";", rows)
    if kind is Breakage.TRUNCATED:
        middle = (rows + end) // 2
        return whole[: whole.index(b".", middle)]
    if kind is Breakage.WRONG_COUNT:
        return whole[: rows + len(b"DefectList")] + whole[end:]
    spec = whole.index(b"DefectRecordSpec ") + len(b"DefectRecordSpec ")
    count_end = whole.index(b" ", spec)
    return whole[:spec] + str(int(whole[spec:count_end]) + 1).encode() + whole[count_end:]


def _whole(seed: int) -> bytes:
    lot = simulated_lot(seed, 9_999)  # a number no simulation reaches: not taken for one of its lots
    wafer = sample("Donut", seed, defects=_DEFECTS, of_product=lot.product)
    stream = io.BytesIO()
    write_klarf(as_klarf(lot, [(1, wafer)], seed), stream)
    return stream.getvalue()
