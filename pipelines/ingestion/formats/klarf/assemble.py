"""From the parts of a file to what they mean."""

from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import Part
from pipelines.ingestion.formats.klarf.model import Klarf


def assemble(version: str, parts: tuple[Part, ...], tables: tuple[Defects, ...]) -> Klarf:
    """The file with its wafers worked out."""
    return Klarf(version, parts, tables)
