"""KLARF, the format in which inspection tools report defects: 1.0-1.3 (flat) and 1.8 (nested), read and written.

The official manuals are not public; what is known of the format is what files of several makers agree on.
"""

from pipelines.ingestion.formats.klarf.model import Klarf, Lot, Point, Wafer
from pipelines.ingestion.formats.klarf.new import NewLot, NewWafer, new_klarf
from pipelines.ingestion.formats.klarf.problems import ReadWarning
from pipelines.ingestion.formats.klarf.writer import write_klarf

__all__ = [
    "Klarf",
    "Lot",
    "NewLot",
    "NewWafer",
    "Point",
    "ReadWarning",
    "Wafer",
    "new_klarf",
    "write_klarf",
]
