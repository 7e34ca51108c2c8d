"""SEMI G85 and E142: maps of bins in XML, read as a stream, without entities, DTDs or references to other files.

The two differ in names only: G85 has `Map/Device` with `Bin` and `Row`, E142 `SubstrateMap/Overlay/BinCodeMap` with
`BinDefinition` and `BinCode`. Namespaces changed with every revision, so they are not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from numpy.typing import NDArray

from models.domain.capture import Provenance, ReadWarning
from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion.formats.found import BinCodes, FoundWafer, check_grid, notch_down, several, split_row
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.wafer_maps import DieMap

_CODE_WIDTH = {"HEXADECIMAL": 2, "DECIMAL": 3, "ASCII": 1, "INTEGER2": 4}
_UPSIDE_DOWN = ("3", "4", "LOWERLEFT", "LOWERRIGHT")
_MIRRORED = ("1", "4", "UPPERRIGHT", "LOWERRIGHT")
_MAX_DEPTH = 64


@dataclass(slots=True)
class _Map:
    """One map while its elements come in."""

    attributes: dict[str, str] = field(default_factory=dict)
    columns: int = 0
    codes: list[str] = field(default_factory=list)
    quality: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """What the file has said so far: maps, lots by substrate, columns by layout."""

    maps: list[_Map] = field(default_factory=list)
    lots: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, int] = field(default_factory=dict)
    dimension: int = 0


def read_semi_xml(path: Path, where: str, limits: Limits) -> list[FoundWafer]:
    """All maps of a G85 or E142 file.

    Raises:
        RetryableError: the XML ends too early.
        UnsafeInputError: it declares entities or a DTD, nests deeply, or has too many dies.
        InputError: broken, or no map inside.
    """
    seen = _Seen()
    try:
        with path.open("rb") as stream:
            for element, name, parents in _elements(stream):
                _take(element, name, parents, seen)
    except DefusedXmlException as error:
        raise UnsafeInputError(
            "XML with a DTD or entities", where=where, expected="plain XML", got=str(error)[:200], code="unsafe-xml"
        ) from error
    except ParseError as error:
        line = error.position[0]
        if error.code in (3, 5):  # expat: no element found, unclosed token
            raise RetryableError("XML ends too early", where=f"{where}:{line}", code="truncated") from error
        raise InputError("broken XML", where=f"{where}:{line}", got=str(error)[:200], code="broken-xml") from error
    except (LookupError, ValueError) as error:
        raise InputError("broken XML", where=where, got=str(error)[:200], code="broken-xml") from error
    found = [one for one in seen.maps if one.codes]
    if not found:
        raise InputError("no map of bins", where=where, expected="Row or BinCode elements", code="empty-map")
    return [_wafer(one, where, limits, seen) for one in found]


def _elements(stream: Any) -> Iterator[tuple[Element, str, list[str]]]:
    """Elements as they end, with their name and those of their parents; emptied afterwards to keep memory flat."""
    parents: list[str] = []
    for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
        name = element.tag.rpartition("}")[2]
        if event == "start":
            parents.append(name)
            if len(parents) > _MAX_DEPTH:
                raise UnsafeInputError(
                    "XML nests too deeply", expected=f"at most {_MAX_DEPTH} levels", code="unsafe-xml"
                )
            if name in ("Map", "SubstrateMap"):
                yield element, f"{name} begins", parents
        else:
            parents.pop()
            yield element, name, parents
            if name in ("Row", "BinCode", "Bin", "BinDefinition", "T"):
                element.clear()


def _take(element: Element, name: str, parents: list[str], seen: _Seen) -> None:
    if name in ("Map begins", "SubstrateMap begins"):
        seen.maps.append(_Map(dict(element.attrib)))
    elif name == "Substrate" and element.get("SubstrateId"):
        lot = next((child.text or "" for child in element if child.tag.rpartition("}")[2] == "LotId"), "")
        seen.lots[element.get("SubstrateId", "")] = lot.strip() or element.get("LotId", "")
    elif name == "Dimension" and parents[-1:] == ["Layout"]:
        seen.dimension = _whole(element.get("X"))
    elif name == "Layout":
        seen.layouts[element.get("LayoutId", "")], seen.dimension = seen.dimension, 0
    elif seen.maps:
        _take_map_part(element, name, seen.maps[-1])


def _take_map_part(element: Element, name: str, one: _Map) -> None:
    if name in ("Row", "BinCode") and element.text and element.text.strip():
        one.codes.append(element.text.strip())
    elif name in ("Bin", "BinDefinition") and element.get("BinCode"):
        one.quality[element.get("BinCode", "")] = element.get("BinQuality", "")
    elif name in ("Device", "BinCodeMap", "Overlay"):
        one.attributes = {**element.attrib, **one.attributes}
        one.columns = one.columns or _whole(element.get("Columns"))


def _wafer(one: _Map, where: str, limits: Limits, seen: _Seen) -> FoundWafer:
    about = one.attributes
    wafer = about.get("WaferId") or about.get("SubstrateId") or None
    place = f"{where} wafer {wafer}" if wafer else where
    columns = one.columns or seen.layouts.get(about.get("LayoutSpecifier", ""), 0)
    width = _CODE_WIDTH.get(about.get("BinType", "").upper(), 2)
    try:
        rows = [split_row(codes, columns, width) for codes in one.codes]
    except ValueError as error:
        raise InputError("row of bins does not fit the columns", where=place, got=str(error)) from error
    check_grid(len(rows), len(rows[0]), limits.dies, place)
    if len({len(row) for row in rows}) > 1:
        raise InputError("rows of bins of different lengths", where=place, expected=f"{len(rows[0])} dies each")
    said = _whole(about.get("Rows"))
    warnings: list[ReadWarning] = []
    if said and said != len(rows):
        raise InputError("rows of bins do not fit Rows", where=place, expected=str(said), got=str(len(rows)))
    dies, odd = _codes(one, width).states(rows, place)
    states = _upright(dies.states, about)
    turn = _whole(about.get("Orientation")) % 360
    if turn % 90:
        warnings.append(ReadWarning("unknown-notch", f"{place}: Orientation {turn}; not turned"))
        turn = 0
    provenance = Provenance(
        lot=about.get("LotId") or seen.lots.get(wafer or "") or None,
        wafer=wafer,
        product=about.get("ProductId") or about.get("LayoutSpecifier") or None,
        inspected_at=_date(about.get("CreateDate", "")),
    )
    # Orientation 0 is notch down; it counts counter-clockwise turns of the substrate.
    down = notch_down(states, (180 - turn) % 360)
    diameter = _whole(about.get("WaferSize")) * 1000.0
    return FoundWafer(DieMap(down), provenance, diameter or None, several([tuple(warnings), odd]))


def _codes(one: _Map, width: int) -> BinCodes:
    null = one.attributes.get("NullBin", "")
    marks = [mark * width for mark in "_.@"]
    good = [code for code, quality in one.quality.items() if quality.strip().upper() in ("PASS", "GOOD")]
    if not one.quality:
        good = ["1"]
    bad = [code for code in one.quality if code not in good]
    return BinCodes(good, bad, [null, *marks] if null else marks)


def _upright(states: NDArray[np.uint8], about: dict[str, str]) -> NDArray[np.uint8]:
    """First row at the top, first column at the left."""
    origin = about.get("OriginLocation", "").upper()
    if origin in _UPSIDE_DOWN:
        states = states[::-1]
    if origin in _MIRRORED:
        states = states[:, ::-1]
    return states


def _whole(text: str | None) -> int:
    """A whole number of at most nine digits; 0 where there is none."""
    digits = (text or "").strip().partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _date(text: str) -> datetime | None:
    """`YYYYMMDDhhmmss` with what may follow; None where it is something else."""
    try:
        return datetime.strptime(text.strip()[:14], "%Y%m%d%H%M%S")
    except ValueError:
        return None
