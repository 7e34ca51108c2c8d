"""A flat file as a nested one: the same wafers, read back from what is written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError
from pipelines.ingestion import PointReader, open_captures
from pipelines.ingestion.formats.klarf import Klarf, Wafer, read_klarf, to_nested, write_klarf
from pipelines.ingestion.formats.klarf.document import Field, Listing, Part, Record

IMAGES = """FileVersion 1 1;
LotID A;
WaferID "W";
DefectRecordSpec 6 DEFECTID XREL YREL TEST IMAGECOUNT IMAGELIST;
TiffFileName a.tif;
DefectList
 1 1.5 2.5 1 0 0
 2 1.5e+003 NA 1 2 2 1 0 2 5;
TiffFileName b.jpg;
DefectList
 3 4 -0.25 1 1 1 3 0;
EndOfFile;
"""
LOTS = """FileVersion 1 2;
FileTimestamp 12-08-25 4:57:03;
InspectionStationID "KLA" "2920" "BF07";
SampleSize 1 200;
DiePitch 10 20;
VendorThing 12 "a b" c;
LotID "A";
StepID "M1";
ClassLookup 1 5 "five";
WaferID "W1";
OperatorID "kim";
CustomWaferList 1 COLOUR "dark; blue";
InspectionTest 1;
SampleTestPlan 2 0 0 1 0;
AreaPerTest 4e2;
RemovedDieList 1 3 4;
DefectRecordSpec 4 DEFECTID XREL DEFECTAREA TEST;
DefectList
 1 1.0005 2.5 1;
SummarySpec 3 TESTNO NDEFECT HAZEAVERAGE;
SummaryList 1 1 0.25;
LotID "B";
StepID "M2";
WaferID "W2";
Slot 7;
DefectList;
EndOfFile;
"""
MEANT = ("provenance", "diameter_um", "mark", "mirrored", "centred", "side", "classes", "summary")


def back(read, written, klarf: Klarf) -> Klarf:
    nested = to_nested(klarf)
    again = read(written(nested), mode="lenient")
    assert again == nested
    return again


def assert_same(one: Wafer, other: Wafer) -> None:
    for name in MEANT:
        assert getattr(one, name) == getattr(other, name), name
    for name in ("die_pitch_um", "die_origin_um", "centre_um"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        assert mine is None or (theirs.x, theirs.y) == pytest.approx((mine.x, mine.y), abs=5e-4)
    assert [test.number for test in one.tests] == [test.number for test in other.tests]
    for mine, theirs in zip(one.tests, other.tests, strict=True):
        assert theirs.area_um2 == (None if mine.area_um2 is None else pytest.approx(mine.area_um2))
        np.testing.assert_array_equal(mine.dies, theirs.dies)
    np.testing.assert_array_equal(one.all_dies, other.all_dies)
    assert list(one.defects.columns) == list(other.defects.columns)
    for name, values in one.defects.columns.items():
        converted = other.defects.columns[name]
        if name in ("X", "Y", "XREL", "YREL", "XSIZE", "YSIZE", "DSIZE"):
            np.testing.assert_allclose(converted / 1000, values, atol=5.1e-4)
        elif name == "DEFECTAREA":
            np.testing.assert_allclose(converted / 1e6, values)
        else:
            np.testing.assert_array_equal(converted, values)
    for part in ("row", "page", "kind", "file"):
        np.testing.assert_array_equal(getattr(one.defects.images, part), getattr(other.defects.images, part))


@pytest.mark.parametrize("text", ["flat", "images", "lots"])
def test_the_wafers_are_the_same(text: str, flat: str, read, written) -> None:
    klarf = read({"flat": flat, "images": IMAGES, "lots": LOTS}[text])
    again = back(read, written, klarf)
    assert again.version == "1.8"
    assert not again.warnings
    for one, other in zip(klarf.wafers, again.wafers, strict=True):
        assert_same(one, other)


def named(parts: tuple[Part, ...], name: str) -> list[Part]:
    """All parts of this name, however deep."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Record | Field | Listing) and part.name == name:
            found.append(part)
        if isinstance(part, Record):
            found += named(part.parts, name)
    return found


def test_what_is_not_understood_goes_with_its_lot_or_wafer(read, written) -> None:
    whole = back(read, written, read(LOTS)).parts
    first, second = named(whole, "LotRecord")
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    (thing,) = [part for part in first.parts if isinstance(part, Field) and part.name == "VendorThing"]
    assert thing.values == ("12", "a b", "c")
    (wafer,) = named(first.parts, "WaferRecord")
    assert isinstance(wafer, Record)
    assert {part.name for part in wafer.parts if isinstance(part, Field | Listing)} >= {
        "OperatorID",
        "CustomWaferList",
        "RemovedDieList",
    }
    (custom,), (removed,), (counts,) = (
        named(whole, name) for name in ("CustomWaferList", "RemovedDieList", "TestSummaryList")
    )
    assert isinstance(custom, Listing)
    assert custom.rows == (("COLOUR", "dark; blue"),)
    assert isinstance(removed, Listing)
    assert removed.rows == (("3", "4"),)
    assert isinstance(counts, Listing)
    assert counts.rows == (("1", "1", "0.25"),)
    (stamp,) = named(whole, "FileTimestamp")
    assert isinstance(stamp, Field)
    assert stamp.values == ("12-08-2025", "04:57:03")
    assert not named(second.parts, "VendorThing")


def test_pictures_name_their_file(read, written) -> None:
    images = back(read, written, read(IMAGES)).wafers[0].defects.images
    assert images.file.tolist() == ["a.tif", "a.tif", "b.jpg"]
    assert images.format.tolist() == ["TIF", "TIF", "JPG"]


def test_a_rectangle_stays_one(flat: str, read, written) -> None:
    again = back(read, written, read(flat.replace("SampleSize 1 300", "SampleSize 2 150 100")))
    (size,) = named(again.parts, "SampleSize")
    assert isinstance(size, Field)
    assert size.values == ("150000000", "100000000")
    assert again.wafers[0].diameter_um is None


def test_a_nested_file_stays_as_it_is(nested: str, read) -> None:
    klarf = read(nested)
    assert to_nested(klarf) is klarf


def test_a_file_without_a_wafer_is_refused(flat: str, read) -> None:
    with pytest.raises(InputError, match="nothing to convert"):
        to_nested(replace(read(flat), wafers=()))


def test_real_files_show_the_same_wafers(real_data: Path, tmp_path: Path) -> None:
    for path in sorted((real_data / "klarf").iterdir()):
        klarf = read_klarf(path, mode="lenient")
        if klarf.nested or klarf.warnings:
            continue
        write_klarf(to_nested(klarf), tmp_path / path.name)
        for old, new in zip(open_captures(path), open_captures(tmp_path / path.name), strict=True):
            assert isinstance(old, PointReader)
            assert isinstance(new, PointReader)
            assert old.capture.provenance == new.capture.provenance
            np.testing.assert_allclose(new.points.x_um, old.points.x_um, atol=0.02)
            np.testing.assert_allclose(new.points.y_um, old.points.y_um, atol=0.02)
            assert [w.code for w in old.warnings] == [w.code for w in new.warnings]
