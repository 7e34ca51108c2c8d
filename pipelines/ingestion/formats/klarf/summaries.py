"""What the tool says it counted, and whether that is what the file holds."""

from collections.abc import Sequence

import numpy as np

from pipelines.ingestion.formats.klarf.model import InspectionSummary, Wafer
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.words import number, whole


def summaries_of(
    columns: Sequence[str], words: Sequence[str], line: int, problems: Problems
) -> list[InspectionSummary]:
    """Rows of a summary, whose words follow each other.

    Raises:
        InputError: in strict mode, they do not make whole rows.
    """
    width = len(columns)
    if not width or len(words) % width:
        problems.wrong(
            "bad-summary",
            "a summary does not fit its columns",
            line=line,
            expected=f"rows of {width} values" if width else "a SummarySpec before the SummaryList",
            got=f"{len(words)} values",
            remedy="lenient mode takes the whole rows",
        )
    if not width:
        return []
    rows = [words[at : at + width] for at in range(0, len(words) - width + 1, width)]
    return [summary_of(columns, row) for row in rows]


def summary_of(columns: Sequence[str], row: Sequence[str]) -> InspectionSummary:
    """One row; values that are missing or no numbers count as not said."""
    cells = dict(zip(columns, row, strict=False))
    return InspectionSummary(
        test=whole(cells.get("TESTNO", "1")) or 1,
        defects=whole(cells.get("NDEFECT", "")),
        density_per_cm2=number(cells.get("DEFDENSITY", "")),
        dies=whole(cells.get("NDIE", "")),
        defective_dies=whole(cells.get("NDEFDIE", "")),
    )


def check_counts(wafer: Wafer, problems: Problems) -> None:
    """Compare the number of defects with what the tool counted, test by test.

    Raises:
        InputError: in strict mode, they differ.
    """
    counted = {summary.test: summary.defects for summary in wafer.summary if summary.defects is not None}
    if not counted:
        return
    found = {f"test {test}": (_of_test(wafer, test), stated) for test, stated in counted.items()}
    if len(counted) == 1 or "TEST" not in wafer.defects.columns:
        found = {}
    found["the wafer"] = (len(wafer.defects), sum(counted.values()))
    for what, (rows, stated) in found.items():
        if rows != stated:
            problems.wrong(
                "defect-count",
                f"{what} has another number of defects than its summary says (wafer {wafer.provenance.wafer})",
                line=wafer.line,
                expected=f"NDEFECT {stated}",
                got=f"{rows} defects",
                remedy="ask the tool for the whole file; lenient mode takes it as it is",
            )
            return


def _of_test(wafer: Wafer, test: int) -> int:
    return int(np.count_nonzero(wafer.defects.columns.get("TEST", np.empty(0)) == test))
