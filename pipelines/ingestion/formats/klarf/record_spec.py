"""The columns that a `DefectRecordSpec` announces."""

from collections.abc import Sequence

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.columns import is_image_column
from pipelines.ingestion.formats.klarf.document import ColumnType, Statement
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.words import capitals, whole


def numbered(names: Sequence[str]) -> list[str]:
    """The names, those that were there before with a number behind them that makes them new."""
    counts: dict[str, int] = {}
    taken = set(names)
    found = []
    for name in names:
        new = name
        while name in counts and new in taken:
            counts[name] += 1
            new = f"{name}.{counts[name]}"
        counts.setdefault(name, 1)
        taken.add(new)
        found.append(new)
    return found


def layout_of(statement: Statement, problems: Problems | None = None) -> tuple[ColumnType, ...]:
    """Columns in the order of the file; a name that comes again is numbered (`NAME.2`).

    Args:
        statement: `n name1 … name_n`.
        problems: where to complain of a wrong count; None = do not look.

    Raises:
        InputError: in strict mode, the count is wrong, or a name comes twice; in any mode, there are two image columns.
    """
    words = [capitals(word) for word in statement.values]
    count = whole(words[0]) if words else None
    if count is not None:
        words.pop(0)
    names = numbered(words)
    layout = tuple(map(ColumnType, names))
    if sum(map(is_image_column, layout)) > 1:
        raise InputError(
            "two image columns in a DefectRecordSpec", where=f"line {statement.line}", code="bad-record-spec"
        )
    if problems is not None:
        expected = ""
        if count != len(words):
            expected = f"{'a count and' if count is None else count} names"
        elif names != words:
            expected = "different names"
        if expected:
            problems.wrong(
                "bad-record-spec",
                "DefectRecordSpec does not add up",
                line=statement.line,
                expected=expected,
                got=f"{len(words)}: {' '.join(words)[:200]}",
                remedy="lenient mode trusts the names",
            )
    return layout
