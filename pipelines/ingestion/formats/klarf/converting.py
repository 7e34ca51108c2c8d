"""A flat file (1.0-1.3) as a nested one (1.8) that says the same: in records, and in nanometres.

What statements mean is taken from the wafers, where inheritance and late facts are settled already; what means nothing
to us becomes fields of the lot or the wafer it stands at. Each wafer has one list of defects, however many it had.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.assemble import assemble
from pipelines.ingestion.formats.klarf.columns import is_image_column, kind_of
from pipelines.ingestion.formats.klarf.defects import Defects, Images
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows, Field, Listing, Part, Record, Statement
from pipelines.ingestion.formats.klarf.facts import UM_PER_MM, parse_moment
from pipelines.ingestion.formats.klarf.model import InspectionTest, Klarf, Wafer
from pipelines.ingestion.formats.klarf.new_nested import field_with, listing_with, nm
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.words import FLAT_WORD, capitals, number, quote, tame

_NM_PER_UM, _NM2_PER_UM2 = 1000, 1_000_000
_EXACT = 1 << 53
_LENGTHS = frozenset(("X", "Y", "XREL", "YREL", "XSIZE", "YSIZE", "DSIZE"))
_STATION = "InspectionStationID"
_RENAMED = {"SETUPID": "RecipeID", "INSPECTIONSTATIONID": _STATION}
_DEGREES = {"DOWN": "0", "LEFT": "90", "UP": "180", "RIGHT": "270"}
_DIE = ("int32 XINDEX", "int32 YINDEX")
_SETTLED = frozenset(
    (
        *("FILEVERSION", "LOTID", "WAFERID", "SLOT", "DEVICEID", "STEPID", "RESULTTIMESTAMP", "DIEPITCH", "DIEORIGIN"),
        *("SAMPLECENTERLOCATION", "ORIENTATIONMARKLOCATION", "ORIENTATIONINSTRUCTIONS", "COORDINATESMIRRORED"),
        *("COORDINATESCENTERED", "CLASSLOOKUP", "INSPECTIONTEST", "SAMPLETESTPLAN", "AREAPERTEST", "SAMPLEDIEMAP"),
        *("DEFECTRECORDSPEC", "TIFFFILENAME", "SUMMARYSPEC"),
    )
)
"""Statements whose meaning the wafers and their defects hold."""


def to_nested(klarf: Klarf) -> Klarf:
    """The file as version 1.8, ready for `write_klarf`; a file of that version as it is.

    Lengths in fields are rounded to a nanometre, as that version writes them.

    Raises:
        InputError: there is no wafer in it, or something that version 1.8 cannot say.
    """
    if klarf.nested:
        return klarf
    if not klarf.wafers:
        raise InputError("nothing to convert", expected="a KLARF file with a wafer", code="empty-file")
    try:
        return _converted(klarf)
    except OverflowError as error:
        raise InputError("length that version 1.8 cannot say", got=str(error), code="bad-value") from error


def _converted(klarf: Klarf) -> Klarf:
    kept = _Kept(klarf)
    records, tables = [], list[Defects]()
    for lot in klarf.lots:
        shared = tuple(_of_lot(lot.wafers[0]))
        wafers = []
        for wafer in lot.wafers:
            own = (part for part in _of_lot(wafer) if part not in shared)
            rows = DefectRows(len(tables), 0, len(wafer.defects))
            tables.append(_table(wafer.defects))
            parts = (*own, *_of_wafer(wafer, rows), *kept.by_wafer[id(wafer.rows[0])])
            wafers.append(Record("WaferRecord", wafer.provenance.wafer, parts))
        about = [part for wafer in lot.wafers for part in kept.by_lot[id(wafer.rows[0])]]
        tool = lot.wafers[0].provenance.tool
        if tool is not None and not any(isinstance(part, Field) and part.name == _STATION for part in about):
            about.insert(0, field_with(_STATION, quote(tool)))  # said of an earlier lot
        records.append(Record("LotRecord", lot.id, (*about, *shared, *wafers)))
    whole = Record("FileRecord", "1.8", (*kept.of_file, *records))
    return assemble("1.8", (whole,), tuple(tables), Problems(mode="lenient"))


class _Kept:
    """What the statements say besides, by the first rows of the wafer they stand at, or whose lot they open."""

    def __init__(self, klarf: Klarf) -> None:
        self.of_file: list[Part] = []
        self.by_lot: dict[int, list[Part]] = defaultdict(list)
        self.by_wafer: dict[int, list[Part]] = defaultdict(list)
        first = {id(rows): id(wafer.rows[0]) for wafer in klarf.wafers for rows in wafer.rows}
        lot, wafer, columns = list[Part](), list[Part](), tuple[str, ...]()
        here = lot
        for part in klarf.parts:
            if isinstance(part, DefectRows):
                owner = first[id(part)]
                self.by_lot[owner] += lot
                self.by_wafer[owner] += wafer
                lot, wafer, here = [], [], self.by_wafer[owner]
            elif isinstance(part, Statement):
                if part.is_a("LotID"):
                    here = lot
                elif part.is_a("WaferID"):
                    here = wafer
                elif part.is_a("SummarySpec"):
                    columns = tuple(capitals(name) for name in part.values[1:])
                elif part.is_a("FileTimestamp"):
                    self.of_file = [field_with("FileTimestamp", *_texts(part))]
                    continue
                here += _besides(part, columns)


def _besides(said: Statement, summary: tuple[str, ...]) -> Iterator[Part]:
    """A statement whose meaning is not among the wafers' facts."""
    keyword, values = said.keyword.upper(), said.values
    if keyword in _SETTLED:
        return
    if keyword == "SUMMARYLIST" and summary:
        kinds = [
            f"{'int32' if name in ('TESTNO', 'NDEFECT', 'NDIE', 'NDEFDIE') else 'float'} {name}" for name in summary
        ]
        rows = [tuple(map(_word, row)) for row in _rows(values, len(summary))]
        yield Record("SummaryRecord", None, (listing_with("TestSummaryList", kinds, rows),))
    elif keyword == "CUSTOMWAFERLIST":
        named = [tuple(map(quote, row)) for row in _rows(values[1:], 2)]
        yield listing_with("CustomWaferList", ("string NAME", "string VALUE"), named)
    elif keyword == "REMOVEDDIELIST":
        yield listing_with("RemovedDieList", _DIE, [tuple(map(_word, row)) for row in _rows(values[1:], 2)])
    elif keyword == "SAMPLESIZE":
        if values[:1] != ("1",):  # no disc, whose diameter the wafers know
            yield field_with("SampleSize", *(nm((number(word) or 0.0) * UM_PER_MM) for word in values[1:]))
    else:
        yield field_with(_RENAMED.get(keyword, tame(said.keyword)), *_texts(said))


def _of_lot(wafer: Wafer) -> Iterator[Part]:
    """What is usually the same for all wafers of a lot."""
    about = wafer.provenance
    for name, text in (("DeviceID", about.product), ("StepID", about.step)):
        if text is not None:
            yield field_with(name, quote(text))
    if wafer.die_pitch_um is not None:
        yield field_with("DiePitch", nm(wafer.die_pitch_um.x), nm(wafer.die_pitch_um.y))
    if wafer.diameter_um is not None:
        yield field_with("SampleSize", nm(wafer.diameter_um), "0")
    if wafer.mark is not None:
        yield field_with("OrientationMarkLocation", _DEGREES[wafer.mark])
    if about.inspected_at is not None:
        yield field_with("ResultTimestamp", *_moment(about.inspected_at))
    for name, is_so in (("CoordinatesMirrored", wafer.mirrored), ("CoordinatesCentered", wafer.centred)):
        yield field_with(name, '"YES"' if is_so else '"NO"')
    if wafer.classes:
        rows = [(str(number_), quote(name), '""') for number_, name in wafer.classes.items()]
        columns = ("int32 CLASSNUMBER", "string CLASSNAME", "string CLASSCODE")
        yield listing_with("ClassLookupList", columns, rows)


def _of_wafer(wafer: Wafer, rows: DefectRows) -> Iterator[Part]:
    yield field_with("DieOrigin", nm(wafer.die_origin_um.x), nm(wafer.die_origin_um.y))
    if wafer.centre_um is not None:
        yield field_with("SampleCenterLocation", nm(wafer.centre_um.x), nm(wafer.centre_um.y))
    if wafer.provenance.slot is not None:
        yield field_with("SlotNumber", str(wafer.provenance.slot))
    yield field_with("OrientationInstructions", quote(wafer.side))
    yield rows
    yield from map(_test, wafer.tests)
    if wafer.all_dies is not None:
        yield _dies("SampleDieMapList", wafer.all_dies)


def _test(test: InspectionTest) -> Record:
    parts: list[Part] = []
    if test.area_um2 is not None:
        parts.append(field_with("AreaPerTest", repr(test.area_um2 * _NM2_PER_UM2)))
    if test.dies is not None:
        parts.append(_dies("SampleTestPlanList", test.dies))
    return Record("TestRecord", str(test.number), tuple(parts))


def _dies(name: str, dies: NDArray[np.int32]) -> Listing:
    return listing_with(name, _DIE, [(str(x), str(y)) for x, y in dies.tolist()])


def _table(table: Defects) -> Defects:
    if table.layout and not table.columns:
        raise InputError("defects that are nothing but pictures", expected="a column besides", code="no-columns")
    columns = {name: _in_nm(name, values) for name, values in table.columns.items()}
    layout = tuple(
        ColumnType("IMAGEINFO", "ImageList")
        if is_image_column(column)
        else ColumnType(column.name, _type(column, columns))
        for column in table.layout
    )
    images = table.images
    formats = [PurePath(str(name)).suffix[1:].upper() for name in images.file.tolist()]
    kept = Images(images.row, images.page, images.kind, images.file, np.array(formats, np.dtypes.StringDType()))
    return Defects(layout, columns, kept)


def _in_nm(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """A column in nanometres and their squares, whole where the values are lengths."""
    if values.dtype.kind not in "iuf":
        return values
    if name != "DEFECTAREA" and name not in _LENGTHS:
        return values
    with np.errstate(over="ignore"):  # what becomes infinite is refused with its column
        scaled = values * float(_NM2_PER_UM2 if name == "DEFECTAREA" else _NM_PER_UM)
    whole = name in _LENGTHS and bool((np.abs(scaled) < _EXACT).all())
    return np.round(scaled).astype(np.int64) if whole else scaled


def _type(column: ColumnType, columns: dict[str, NDArray[Any]]) -> str:
    """What to declare: whole numbers also where some are missing, if they are whole by nature."""
    kind = columns[column.name].dtype.kind
    if kind in "iu" or kind_of(column) == "int":
        return "int32"
    return "float" if kind == "f" else "string"


def _rows(words: tuple[str, ...], width: int) -> list[tuple[str, ...]]:
    return [words[at : at + width] for at in range(0, len(words) - width + 1, width)]


def _texts(said: Statement) -> Iterator[str]:
    """Words as fields have them: bare numbers, anything else in quotes; a date and time in the one form of 1.8."""
    words = [quote(quoted) if quoted else _word(bare or mark) for quoted, bare, mark in FLAT_WORD.findall(said.text)]
    moment = parse_moment(*said.values[-2:]) if len(words) >= 2 else None
    yield from words if moment is None else (*words[:-2], *_moment(moment))


def _word(word: str) -> str:
    return word if number(word) is not None else quote(word)


def _moment(moment: datetime) -> tuple[str, str]:
    return quote(moment.strftime("%m-%d-%Y")), quote(moment.strftime("%H:%M:%S"))
