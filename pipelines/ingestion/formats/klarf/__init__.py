"""KLARF, the format in which inspection tools report defects: 1.0-1.3 (flat) and 1.8 (nested), read and written.

The official manuals are not public; what is known of the format is what files of several makers agree on.
"""

from pipelines.ingestion.captures import ReadWarning
from pipelines.ingestion.formats.klarf.limits import KlarfLimits
from pipelines.ingestion.formats.klarf.model import Klarf, Lot, Point, Wafer
from pipelines.ingestion.formats.klarf.new import NewLot, NewWafer, new_klarf
from pipelines.ingestion.formats.klarf.reader import is_klarf, read_klarf
from pipelines.ingestion.formats.klarf.writer import write_klarf

__all__ = [
    "Klarf",
    "KlarfLimits",
    "Lot",
    "NewLot",
    "NewWafer",
    "Point",
    "ReadWarning",
    "Wafer",
    "is_klarf",
    "new_klarf",
    "read_klarf",
    "write_klarf",
]
