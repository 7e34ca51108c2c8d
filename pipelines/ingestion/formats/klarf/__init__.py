"""KLARF, the format in which inspection tools report defects: 1.0-1.3 (flat) and 1.8 (nested), read and written.

The official manuals are not public; what is known of the format is what files of several makers agree on.

    klarf = read_klarf("lot.001")                                   # strict; mode="lenient" reports and goes on
    klarf.wafers[0].defects.columns["XREL"]                         # one array per column
    write_klarf(with_verdicts(klarf, …), "lot_verdicts.001")        # a new file in the same dialect
"""

from models.domain.capture import ReadWarning
from pipelines.ingestion.formats.klarf.converting import to_nested
from pipelines.ingestion.formats.klarf.defects import Defects, Images
from pipelines.ingestion.formats.klarf.image_paths import image_name, open_image
from pipelines.ingestion.formats.klarf.limits import KlarfLimits
from pipelines.ingestion.formats.klarf.model import InspectionSummary, InspectionTest, Klarf, Lot, Point, Wafer
from pipelines.ingestion.formats.klarf.new import NewLot, NewWafer, dies_on_disc, new_klarf
from pipelines.ingestion.formats.klarf.reader import is_klarf, read_klarf
from pipelines.ingestion.formats.klarf.verdicts import Author, ReservedClasses, Signature, WaferVerdict, with_verdicts
from pipelines.ingestion.formats.klarf.writer import write_klarf

__all__ = [
    "Author",
    "Defects",
    "Images",
    "InspectionSummary",
    "InspectionTest",
    "Klarf",
    "KlarfLimits",
    "Lot",
    "NewLot",
    "NewWafer",
    "Point",
    "ReadWarning",
    "ReservedClasses",
    "Signature",
    "Wafer",
    "WaferVerdict",
    "dies_on_disc",
    "image_name",
    "is_klarf",
    "new_klarf",
    "open_image",
    "read_klarf",
    "to_nested",
    "with_verdicts",
    "write_klarf",
]
