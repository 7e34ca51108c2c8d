"""The nested dialect as real tools write it."""

import re
from datetime import datetime

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError


def test_what_the_file_says(read, nested) -> None:
    klarf = read(nested)
    assert klarf.version == "1.8"
    assert klarf.nested
    assert not klarf.warnings
    (wafer,) = klarf.wafers
    said = wafer.provenance
    assert (said.lot, said.wafer, said.slot) == ("LOT1", "W1", 3)
    assert (said.product, said.step, said.tool) == ("CHIP", "M1", "BF07"), "fields of the lot may follow its wafers"
    assert said.inspected_at == datetime(2025, 12, 8, 4, 50)
    assert (wafer.diameter_um, wafer.mark, wafer.unit_um) == (300_000.0, "DOWN", 0.001)
    assert (wafer.die_pitch_um.x, wafer.die_pitch_um.y) == (10_000.0, 20_000.0)
    assert (wafer.centre_um.x, wafer.centre_um.y) == (5_000.0, 10_000.0)
    assert dict(wafer.classes) == {-1: "unclassified", 1001: "Scratch"}
    assert wafer.inspected_dies.tolist() == [[-1, 0], [0, 0], [1, 0]]
    assert wafer.tests[0].area_um2 == pytest.approx(6e8)
    assert wafer.summary[0].defects == 3


def test_both_dialects_mean_the_same(read, flat, nested) -> None:
    one, other = read(flat).wafers[0], read(nested).wafers[0]
    assert one.provenance == other.provenance
    for name in ("XREL", "YREL"):
        np.testing.assert_allclose(
            one.defects.columns[name] * one.unit_um, other.defects.columns[name] * other.unit_um, atol=1e-9
        )
    np.testing.assert_array_equal(one.inspected_dies, other.inspected_dies)


def test_columns_and_images(read, nested) -> None:
    table = read(nested).tables[0]
    assert table.columns["XREL"].tolist() == [100500, -3000, 1250000]
    assert table.columns["XREL"].dtype == np.int32
    assert [column.name for column in table.layout][-1] == "IMAGEINFO"
    images = table.images
    assert images.row.tolist() == [1, 1]
    assert images.file.tolist() == ["a.jpg", "b.tif"]
    assert images.format.tolist() == ["JPG", "TIF"]
    assert images.page.tolist() == [1, 2]
    assert images.kind.tolist() == ["Patch", "24"]


@pytest.mark.parametrize("block", range(1, 90, 7))
def test_blocks_may_end_anywhere(read, nested, block: int) -> None:
    assert read(nested, block=block) == read(nested)


def test_byte_order_mark_and_windows_line_ends(read, nested) -> None:
    assert read(b"\xef\xbb\xbf" + nested.replace("\n", "\r\n").encode()) == read(nested)


def test_capitals_of_structure_words_do_not_count(read, nested) -> None:
    lower = re.sub(r"\bRecord ", "record ", nested.replace("Field ", "FIELD "))
    lower = re.sub(r"\bList ", "LIST ", lower)
    assert read(lower.replace("Columns", "COLUMNS").replace("Data ", "data ")) == read(nested)


def test_missing_values(read, nested) -> None:
    table = read(nested.replace("1250000 7000", "1250000 NA")).tables[0]
    np.testing.assert_array_equal(table.columns["YREL"], [200250, 20000000, np.nan])


def test_strings_may_hold_anything_but_quotes(read, nested) -> None:
    text = nested.replace("ImageList IMAGEINFO", "string NOTE")
    text = text.replace("1 N ;", '1 "a; } {" ;').replace(
        '1 Images 2 {"a.jpg" "JPG" 1 "Patch", "b.tif" "TIF" 2 "24"} ;', '1 "" ;'
    )
    for block in (1, 50, 1 << 20):
        table = read(text.replace("1 N;", "1 bare;"), block=block).tables[0]
        assert table.columns["NOTE"].tolist() == ["a; } {", "", "bare"]


def test_several_lots_and_wafers(read, nested) -> None:
    lot = nested[nested.index("  Record LotRecord") : nested.rindex("}\nEndOfFile")]
    text = nested.replace(lot, lot + lot.replace('"LOT1"', '"LOT2"').replace('"CHIP"', '"OTHER"'))
    klarf = read(text)
    assert [(wafer.provenance.lot, wafer.provenance.product) for wafer in klarf.wafers] == [
        ("LOT1", "CHIP"),
        ("LOT2", "OTHER"),
    ]
    assert [(each.id, len(each.wafers)) for each in klarf.lots] == [("LOT1", 1), ("LOT2", 1)]


def test_unknown_parts_are_kept_in_order(read, nested) -> None:
    extra = 'Field Vendor 2 {"a", 7}\n Record VendorRecord { List Things { Columns 1 {string X} Data 1 { "q" ; } } }\n'
    klarf = read(nested.replace("    Field DiePitch", f"    {extra}    Field DiePitch"))
    names = [part.name for part in klarf.parts[0].parts[1].parts]
    assert names[1:5] == ["DeviceID", "Vendor", "VendorRecord", "DiePitch"]


def test_list_of_defects_without_data(read, nested) -> None:
    start, end = nested.index("        Data 3\n"), nested.index("      Record TestRecord")
    text = nested[:start] + "      }\n" + nested[end:].replace("1 3 0.5 3 3", "1 0 0.5 3 3")
    assert len(read(text).wafers[0].defects) == 0


def test_last_row_without_semicolon(read, nested) -> None:
    klarf = read(nested.replace("1 N;\n        }", "1 N\n        }"))
    assert klarf.tables == read(nested).tables
    assert [warning.code for warning in klarf.warnings] == ["row-without-semicolon"]


@pytest.mark.parametrize(
    ("good", "bad", "what"),
    [
        ("Field DiePitch 2", "Field DiePitch 3", "field DiePitch"),
        ("Columns 7", "Columns 8", "columns of DefectList"),
        ("Data 3\n", "Data 4\n", "defect list"),
        ("Data 3 { 0", "Data 2 { 0", "list SampleTestPlanList"),
        ("Images 2", "Images 3", "list of images"),
    ],
)
def test_declared_counts(read, nested, good: str, bad: str, what: str) -> None:
    text = nested.replace(good, bad)
    with pytest.raises(InputError, match=what) as failure:
        read(text)
    assert failure.value.complaint.expected
    assert failure.value.complaint.got
    lenient = read(text, mode="lenient")
    assert lenient.tables == read(nested).tables
    assert len(lenient.warnings) == 1


@pytest.mark.parametrize("bad", ["2 -3000 20000000 1 0 0", "2 -3000 20000000 1", "2 -3000 20000000 1 } 0"])
def test_rows_of_another_width(read, nested, bad: str) -> None:
    text = nested.replace("2 -3000 20000000 1 0", bad)
    with pytest.raises(InputError) as failure:
        read(text)
    assert failure.value.code in {"row-width", "bad-structure", "declared-count"}
    if "}" not in bad:
        lenient = read(text, mode="lenient")
        assert set(lenient.tables[0].columns["DEFECTID"].tolist()) <= {1, 3}
        assert any(warning.code == "row-width" and warning.line == 18 for warning in lenient.warnings)


@pytest.mark.parametrize("cell", ['Images 1 {"a" "b" 1}', "Images {", 'Images 1 {"a" "b" x "c"}', "7", "M", "1 2"])
def test_image_cells_that_make_no_sense(read, nested, cell: str) -> None:
    text = nested.replace("0 0 1 N ;", f"0 0 1 {cell} ;")
    with pytest.raises((InputError, RetryableError)):
        read(text)


@pytest.mark.parametrize(("cell", "pages"), [("0", []), ("2 1 0 7 5", [1, 7]), ("n", [])])
def test_other_spellings_of_image_cells(read, nested, cell: str, pages: list[int]) -> None:
    table = read(nested.replace("0 0 1 N ;", f"0 0 1 {cell} ;")).tables[0]
    assert table.images.page[table.images.row == 0].tolist() == pages


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Record LotRecord", "Thing LotRecord"),
        ('Record LotRecord "LOT1"', 'Record LotRecord "LOT1" "x"'),
        ("Record SummaryRecord\n      {", "Record SummaryRecord\n      ,"),
        ("Columns 5", "Rows 5"),
        ("    Field DeviceID", "    } } } Field DeviceID"),
        ('{"CHIP"}', '"CHIP"}'),
    ],
)
def test_broken_structure_is_an_error_in_every_mode(read, nested, good: str, bad: str) -> None:
    for mode in ("strict", "lenient"):
        with pytest.raises(InputError) as failure:
            read(nested.replace(good, bad), mode=mode)
        assert failure.value.complaint.where.startswith("lot.001:")


def test_records_that_are_not_closed(read, nested) -> None:
    text = nested.replace("}\nEndOfFile", "EndOfFile")
    with pytest.raises(InputError, match="record FileRecord is not closed"):
        read(text)
    assert read(text, mode="lenient") == read(nested)


def test_every_shorter_file_is_truncated(read, nested) -> None:
    for length in range(nested.index("EndOfFile")):
        with pytest.raises(RetryableError) as failure:
            read(nested[:length], block=128)
        assert failure.value.code == "truncated"


def test_a_file_whose_rest_is_a_hole(read, nested) -> None:
    for length in (0, 3, 30, 500, 900):
        with pytest.raises(RetryableError):
            read(nested[:length] + "\0" * 5000, block=512)


def test_a_hole_in_the_middle(read, nested) -> None:
    with pytest.raises(InputError):
        read(nested[:500] + "\0" * 100 + nested[600:], block=64)


def test_unknown_version(read, nested) -> None:
    with pytest.raises(InputError, match=r"unknown version: lot\.001:1; .*got '1\.9'"):
        read(nested.replace('"1.8"', '"1.9"'))


def test_a_number_that_is_none(read, nested) -> None:
    with pytest.raises(InputError, match=r"YREL of defect row 1 is no number: lot\.001:17:20; .*got '20O250'"):
        read(nested.replace("200250", "20O250"))


def test_quotes_that_are_not_closed(read, nested) -> None:
    klarf = read(nested.replace('{"M1"}', '{"M1}').replace('Record WaferRecord "W1"', 'Record WaferRecord "W1'))
    assert (klarf.wafers[0].provenance.step, klarf.wafers[0].provenance.wafer) == ("M1", "W1")
