"""The truth of a simulation: which wafer shows which pattern, as `truth.csv` beside the files."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.domain.errors import InputError

TRUTH_FILE = "truth.csv"
"""Name of the truth beside the simulated files."""

COLUMNS = ("file", "ordinal", "lot", "wafer", "pattern", "defects")


@dataclass(frozen=True, slots=True)
class TrueWafer:
    """One wafer.

    Attributes:
        file: its file's name, relative to the truth.
        ordinal: which wafer of that file, from 0.
        lot: LotID; wafers of one lot belong to the same part of a split.
        wafer: WaferID.
        pattern: what it shows.
        defects: how many it has.
    """

    file: str
    ordinal: int
    lot: str
    wafer: str
    pattern: str
    defects: int


@dataclass(frozen=True, slots=True)
class Truth:
    """All wafers of a simulation, in the order they were made.

    Attributes:
        folder: where the files and `truth.csv` are.
        wafers: their truth.
    """

    folder: Path
    wafers: tuple[TrueWafer, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once, in order."""
        return tuple(self.folder / name for name in dict.fromkeys(wafer.file for wafer in self.wafers))


def write_truth(folder: Path, wafers: Iterable[TrueWafer]) -> Truth:
    """Write `truth.csv` into a folder; it appears only once it is whole."""
    truth = Truth(folder, tuple(wafers))
    part = folder / f"{TRUTH_FILE}.{os.getpid()}.part"
    with part.open("w", newline="", encoding="ascii") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows((w.file, w.ordinal, w.lot, w.wafer, w.pattern, w.defects) for w in truth.wafers)
    part.replace(folder / TRUTH_FILE)
    return truth


def read_truth(folder: Path) -> Truth:
    """Read `truth.csv` of a folder of simulated files.

    Raises:
        InputError: there is none, or its columns are others.
    """
    path = folder / TRUTH_FILE
    if not path.is_file():
        raise InputError("no truth beside the files", where=str(path), remedy="make the folder with `simulate`")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise InputError(
                "not a truth file", where=str(path), expected=",".join(COLUMNS), got=",".join(rows.fieldnames or ())
            )
        return Truth(folder, tuple(_true_wafer(path, rows.line_num, row) for row in rows))


def _true_wafer(path: Path, line: int, row: dict[str, str]) -> TrueWafer:
    try:
        return TrueWafer(
            row["file"], int(row["ordinal"]), row["lot"], row["wafer"], row["pattern"], int(row["defects"])
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            "bad row in the truth", where=f"{path} line {line}", expected=",".join(COLUMNS), got=repr(row)
        ) from error
