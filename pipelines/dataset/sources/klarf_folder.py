"""A folder of KLARF files with `truth.csv` (file, ordinal, lot, wafer, pattern), as the simulator writes it.

A fab exports the same: its inspection files and a table of what its engineers saw on each wafer.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from models.domain.errors import InputError
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.ingestion import open_captures

_COLUMNS = {"file", "ordinal", "lot", "pattern"}


def open_klarf_folder(path: Path, *, normal: str | None = None) -> Origin:
    """Open the folder; a wafer's files are read when its sample is asked for.

    Args:
        path: folder with `truth.csv` and the files it names.
        normal: label of a wafer without a pattern; `Normal` by default.

    Raises:
        InputError: no `truth.csv`, or a column is missing.
    """
    truth = path / "truth.csv"
    try:
        with truth.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "no truth for this folder",
            where=str(truth),
            expected="CSV with file, ordinal, lot, wafer, pattern",
            got=str(error),
            remedy="`waferwatch simulate` writes one",
        ) from error
    if not rows or not rows[0].keys() >= _COLUMNS:
        got = ", ".join(rows[0]) if rows else "no rows"
        raise InputError("truth lacks columns", where=str(truth), expected=", ".join(sorted(_COLUMNS)), got=got)
    return Origin(_samples(path, rows), normal=normal or "Normal", exclusive=True, grouped_by="lot")


def _samples(folder: Path, rows: list[dict[str, str]]) -> Iterator[Sample]:
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_file.setdefault(row["file"], []).append(row)
    for name, wanted in by_file.items():
        source = (folder / name).resolve()
        if not source.is_relative_to(folder.resolve()):
            raise InputError("truth names a file outside its folder", where=str(folder / "truth.csv"), got=name)
        wafers = list(open_captures(source))
        for row in wanted:
            place = int(row["ordinal"])
            if not 0 <= place < len(wafers):
                raise InputError(
                    "truth names a wafer the file does not hold",
                    where=f"{name}:{place}",
                    expected=f"0 <= ordinal < {len(wafers)}",
                )
            points = getattr(wafers[place], "points", None)
            if points is None:
                raise InputError("not a wafer of points", where=f"{name}:{place}", expected="a KLARF wafer")
            taken = wafers[place].capture.provenance.inspected_at
            yield Sample((row["pattern"],), row["lot"], points, f"{name}:{place}", taken=taken)
