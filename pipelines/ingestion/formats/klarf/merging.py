"""The defects of one wafer, where the file lists them in several places."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.columns import is_image_column
from pipelines.ingestion.formats.klarf.defects import Defects, Images
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows


def merged(tables: Sequence[Defects], places: Sequence[DefectRows]) -> Defects:
    """All rows of these places in their order; the table itself, without a copy, where they are all of one.

    Columns that some of the tables lack are filled with NaN, or with empty strings.
    """
    if not places:
        return Defects()
    first = places[0].table
    if all(place.table == first for place in places):
        stops = [0, *(place.stop for place in places)]
        if [place.start for place in places] == stops[:-1] and stops[-1] == len(tables[first]):
            return tables[first]
    layout: dict[str, ColumnType] = {}
    for place in places:
        layout |= {column.name: column for column in tables[place.table].layout if column.name not in layout}
    plain = [column for column in layout.values() if not is_image_column(column)]
    columns = {column.name: _joined(tables, places, column.name) for column in plain}
    return Defects(tuple(layout.values()), columns, _images(tables, places))


def _joined(tables: Sequence[Defects], places: Sequence[DefectRows], name: str) -> NDArray[np.generic]:
    pieces = [(tables[place.table].columns.get(name), place) for place in places]
    textual = any(values is not None and values.dtype.kind == "T" for values, _ in pieces)
    strings = np.dtypes.StringDType()
    filled = []
    for values, place in pieces:
        if values is None:
            count = place.stop - place.start
            filled.append(np.full(count, "", strings) if textual else np.full(count, np.nan))
        else:
            piece = values[place.start : place.stop]
            filled.append(piece.astype(strings) if textual else piece)
    return np.concatenate(filled)


def _images(tables: Sequence[Defects], places: Sequence[DefectRows]) -> Images:
    pieces: list[Images] = []
    before = 0
    for place in places:
        images = tables[place.table].images
        begin, end = np.searchsorted(images.row, [place.start, place.stop])
        some = slice(int(begin), int(end))
        row = (images.row[some] - place.start + before).astype(np.int32)
        pieces.append(Images(row, images.page[some], images.kind[some], images.file[some], images.format[some]))
        before += place.stop - place.start
    return Images.joined(pieces)
