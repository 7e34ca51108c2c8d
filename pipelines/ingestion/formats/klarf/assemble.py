"""From the parts of a file to what they mean."""

from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import Part
from pipelines.ingestion.formats.klarf.flat_meaning import FlatMeaning
from pipelines.ingestion.formats.klarf.model import Klarf
from pipelines.ingestion.formats.klarf.nested_meaning import NestedMeaning
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.summaries import check_counts


def assemble(
    version: str, parts: tuple[Part, ...], tables: tuple[Defects, ...], problems: Problems | None = None
) -> Klarf:
    """The file with its wafers worked out.

    Args:
        version: "1.0" … "1.3" or "1.8".
        parts: the file in its own order.
        tables: the defects that the parts point into.
        problems: where to complain; None = every problem is an error.

    Raises:
        InputError: the parts contradict each other.
    """
    problems = problems or Problems()
    meaning = NestedMeaning(tables, problems) if version == "1.8" else FlatMeaning(tables, problems)
    wafers = meaning.wafers(parts)
    for wafer in wafers:
        check_counts(wafer, problems)
    return Klarf(version, parts, tables, wafers, problems.collected())
