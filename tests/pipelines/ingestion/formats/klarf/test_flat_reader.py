"""The flat dialect as real tools write it."""

from datetime import datetime

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError


def test_what_the_file_says(read, flat) -> None:
    klarf = read(flat)
    assert klarf.version == "1.2"
    assert not klarf.nested
    assert not klarf.warnings
    (wafer,) = klarf.wafers
    said = wafer.provenance
    assert (said.lot, said.wafer, said.slot) == ("LOT1", "W1", 3)
    assert (said.product, said.step, said.tool) == ("CHIP", "M1", "BF07")
    assert said.inspected_at == datetime(2025, 12, 8, 4, 50)
    assert (wafer.diameter_um, wafer.mark, wafer.unit_um) == (300_000.0, "DOWN", 1.0)
    assert (wafer.die_pitch_um.x, wafer.die_pitch_um.y) == (10_000.0, 20_000.0)
    assert (wafer.centre_um.x, wafer.centre_um.y) == (5_000.0, 10_000.0)
    assert dict(wafer.classes) == {-1: "unclassified", 7: "big; round", 1001: "Scratch"}
    assert wafer.inspected_dies.tolist() == [[-1, 0], [0, 0], [1, 0]]
    assert wafer.tests[0].area_um2 == 6e8
    assert (wafer.summary[0].defects, wafer.summary[0].density_per_cm2) == (3, 0.5)


def test_columns_have_one_dtype_for_what_they_hold(read, flat) -> None:
    columns = read(flat).wafers[0].defects.columns
    assert columns["DEFECTID"].dtype == np.int32
    assert columns["DEFECTID"].tolist() == [1, 2, 3]
    assert columns["XREL"].dtype == np.float64
    assert columns["XREL"].tolist() == [100.5, -3.0, 1250.0]
    assert columns["YREL"].tolist() == [200.25, 20000.0, 7.0]
    assert columns["CLASSNUMBER"].tolist() == [7, -1, 1001]
    np.testing.assert_array_equal(columns["DSIZE"], [1.5, np.nan, 2.0])
    assert columns["SIBC"].tolist() == [0.1, 12.0, -4.5]


@pytest.mark.parametrize("block", range(1, 90, 7))
def test_blocks_may_end_anywhere(read, flat, block: int) -> None:
    assert read(flat, block=block) == read(flat)


def test_byte_order_mark_and_windows_line_ends(read, flat) -> None:
    assert read(b"\xef\xbb\xbf" + flat.replace("\n", "\r\n").encode()) == read(flat)


def test_capitals_of_keywords_do_not_count(read, flat) -> None:
    wafer = read(flat.replace("DefectList", "defectlist").replace("WaferID", "WAFERID").replace("LotID", "lotid"))
    assert wafer.wafers[0].provenance == read(flat).wafers[0].provenance
    assert wafer.tables == read(flat).tables


def test_file_version_may_be_lower_case_and_follow_blank_lines(read, flat) -> None:
    assert read("\n \r\n" + flat.replace("FileVersion", "fileversion")).version == "1.2"


@pytest.mark.parametrize("version", ["1 0", "1 1", "1 3"])
def test_other_flat_versions(read, flat, version: str) -> None:
    assert read(flat.replace("FileVersion 1 2", f"FileVersion {version}")).version == version.replace(" ", ".")


def test_unknown_version(read, flat) -> None:
    text = flat.replace("FileVersion 1 2", "FileVersion 2 0")
    with pytest.raises(InputError, match=r"unknown version: lot\.001:1;.*got '2\.0'"):
        read(text)
    assert [warning.code for warning in read(text, mode="lenient").warnings] == ["unknown-version"]


def test_rows_may_be_wrapped(read, flat) -> None:
    wrapped = (
        flat.replace(" 0 0 1.5 7", " 0\n   0 1.5 7").replace(" 1 0 NA", "\n 1 0\nNA").replace(" -1 0 2", " -1\n0 2")
    )
    assert read(wrapped).tables == read(flat).tables


def test_a_semicolon_may_stand_alone(read, flat) -> None:
    assert read(flat.replace("-4.5;", "-4.5\n  ;\n").replace('"M1";', '"M1"\n;')) == read(flat)


def test_rows_may_begin_on_the_line_of_the_keyword(read, flat) -> None:
    assert read(flat.replace("DefectList\n 1", "DefectList 1")) == read(flat)


def test_all_rows_on_one_line(read, flat) -> None:
    head, rest = flat.split("DefectList\n")
    rows, tail = rest.split(";", 1)
    assert read(f"{head}DefectList {rows.replace(chr(10), ' ')};{tail}").tables == read(flat).tables


def test_ids_without_quotes(read, flat) -> None:
    wafer = read(flat.replace('"W1"', "W1").replace('"LOT1"', "LOT 1")).wafers[0]
    assert (wafer.provenance.wafer, wafer.provenance.lot) == ("W1", "LOT 1")


def test_empty_list(read, flat) -> None:
    text = flat.split("DefectList")[0] + "DefectList;\nEndOfFile;\n"
    (wafer,) = read(text).wafers
    assert len(wafer.defects) == 0
    assert wafer.defects.columns["XINDEX"].dtype == np.int32
    assert wafer.inspected_dies is not None, "inspected and clean is not the same as not inspected"


def test_repeated_lists_are_one_table(read, flat) -> None:
    first, second, third = (f" {row}" for row in ["1 1 1 0 0 1 7 1 1", "2 1 1 0 0 1 7 1 1", "3 1 1 0 0 1 7 1 1"])
    lists = (
        f"TiffFileName a.tif;\nDefectList\n{first};\nDefectList;\nTiffFilename b.tif;\nDefectList\n{second}\n{third};\n"
    )
    text = flat.split("DefectList\n")[0] + lists + "SummarySpec" + flat.split("SummarySpec")[1]
    klarf = read(text)
    assert klarf.wafers[0].defects.columns["DEFECTID"].tolist() == [1, 2, 3]
    assert [(rows.start, rows.stop) for rows in klarf.wafers[0].rows] == [(0, 1), (1, 1), (1, 3)]
    assert klarf.wafers[0].defects is klarf.tables[0]


def test_unknown_statements_are_kept_in_order(read, flat) -> None:
    klarf = read(flat.replace("Slot 3;", 'Weird 1 "a;b"\n  2;\nSlot 3;\nEmpty;'))
    assert [part.keyword for part in klarf.parts[14:18]] == ["WaferID", "Weird", "Slot", "Empty"]
    assert klarf.parts[15].text == '1 "a;b"\n  2'
    assert klarf.parts[15].values == ("1", "a;b", "2")
    assert klarf.parts[15].line == 16


def test_vendor_columns_hold_words_or_numbers(read, flat) -> None:
    text = flat.replace("SIBC", "LABEL").replace("0.1\n", '"a; b"\n').replace(" 12\n", " 007\n").replace("-4.5;", "NA;")
    column = read(text).tables[0].columns["LABEL"]
    assert column.tolist() == ["a; b", "007", "NA"]


def test_numbers_of_a_mixed_column_do_not_depend_on_where_blocks_end(read, flat) -> None:
    text = flat.replace("-4.5;", "A-4;").replace("0.1\n", "3.0\n")
    for block in (1, 40, 80, 120, 1 << 20):
        assert read(text, block=block).tables[0].columns["SIBC"].tolist() == ["3", "12", "A-4"]


def test_very_large_whole_numbers_stay_exact(read, flat) -> None:
    columns = read(flat.replace("\n 2 -3.0", "\n 9007199254740993 -3.0")).tables[0].columns
    assert columns["DEFECTID"].tolist() == [1, 9007199254740993, 3]
    assert columns["DEFECTID"].dtype == np.int64


def test_large_whole_numbers_beside_missing_ones_are_not_rounded_in_silence(read, flat) -> None:
    text = flat.replace("\n 2 -3.0", "\n 9007199254740993 -3.0").replace("\n 3 1.25", "\n NA 1.25")
    with pytest.raises(InputError, match="DEFECTID are too large"):
        read(text)
    assert read(text, mode="lenient").warnings[0].code == "inexact-number"


def test_a_quote_that_is_not_closed_ends_with_its_line(read, flat) -> None:
    klarf = read(flat.replace('LotID "LOT1";', 'LotID "LOT1;').replace('StepID "M1";', 'StepID "M1\n;'))
    said = klarf.wafers[0].provenance
    assert (said.lot, said.step, said.wafer) == ("LOT1", "M1", "W1")
    assert [(warning.code, warning.line) for warning in klarf.warnings] == [
        ("unclosed-quote", 6),
        ("unclosed-quote", 10),
    ]


def test_a_quote_among_the_rows_that_is_not_closed(read, flat) -> None:
    text = flat.replace("0.1\n", '"a\n').replace(" 12\n", " b\n").replace("-4.5;", '"c d;')
    klarf = read(text)
    assert klarf.tables[0].columns["SIBC"].tolist() == ["a", "b", "c d"]
    assert len(klarf.warnings) == 2


def test_stray_semicolons_are_noted(read, flat) -> None:
    klarf = read(flat.replace("Slot 3;", "Slot 3;;\n;"))
    assert [(warning.code, warning.line) for warning in klarf.warnings] == [
        ("stray-semicolon", 16),
        ("stray-semicolon", 17),
    ]
    assert klarf == read(flat)


@pytest.mark.parametrize("padding", ["", "\n\n", "\x1a", "\x00" * 5000, " \r\n\x1a\x00"])
def test_padding_behind_the_end(read, flat, padding: str) -> None:
    assert not read(flat + padding, block=512).warnings


def test_text_behind_the_end(read, flat) -> None:
    with pytest.raises(InputError, match=r"text after EndOfFile: lot\.001:36;.*got 'FileVersion 1 2;"):
        read(flat + flat)
    assert read(flat + flat, mode="lenient").warnings[0].code == "text-after-end"


def test_end_without_semicolon(read, flat) -> None:
    klarf = read(flat.rstrip().removesuffix(";"))
    assert [warning.code for warning in klarf.warnings] == ["end-without-semicolon"]


def test_every_shorter_file_is_truncated_or_refused_but_never_read(read, flat) -> None:
    end = flat.index("EndOfFile") + len("EndOfFile")
    for length in range(end):
        with pytest.raises((RetryableError, InputError)) as failure:
            read(flat[:length], block=64)
        if isinstance(failure.value, RetryableError):
            assert failure.value.code == "truncated"


@pytest.mark.parametrize("cut", ["LotID", "Slot", "  1 0", "DefectList\n 1 100", " 3 1.25", "EndOfFile"])
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_a_file_that_is_still_being_written(read, flat, cut: str, mode: str) -> None:
    with pytest.raises(RetryableError, match=r"file ends inside .*: lot\.001:\d+:\d+; .*try again") as failure:
        read(flat[: flat.index(cut)], mode=mode)
    assert failure.value.code == "truncated"


@pytest.mark.parametrize("length", [0, 3, 11, 500, 700])
def test_a_file_whose_rest_is_a_hole(read, flat, length: int) -> None:
    """Copies over some networks have their full length at once, and zeros where nothing was written yet."""
    with pytest.raises(RetryableError) as failure:
        read(flat[:length] + "\0" * (len(flat) - length))
    assert failure.value.code == "truncated"


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xff\xfeF\x00", b"<Map>", b"Lot,Wafer\n", b"FileVersionX 1 2;"])
def test_other_files_are_refused(read, head: bytes) -> None:
    with pytest.raises(InputError, match="not a KLARF file") as failure:
        read(head + b" rest" * 10)
    assert failure.value.code == "not-klarf"


def test_a_list_that_ends_inside_a_row(read, flat) -> None:
    with pytest.raises(InputError, match="ends inside a row") as failure:
        read(flat.replace("-4.5;", ";"))
    assert failure.value.complaint.where == "lot.001:32:2"
    assert failure.value.complaint.expected.startswith("9 values")
    assert failure.value.complaint.got == "8"


def test_control_characters_among_the_rows(read, flat) -> None:
    text = flat.replace("-3.0 2", "-3.0\x012")
    with pytest.raises(InputError, match=r"control character .*: lot\.001:31:8;.*got byte 1"):
        read(text)
    assert read(text, mode="lenient").tables == read(flat).tables


def test_a_number_that_is_none(read, flat) -> None:
    text = flat.replace("20000.0", "2000o.0")
    with pytest.raises(InputError, match=r"YREL of defect row 2 is no number: lot\.001:31:9;.*got '2000o\.0'"):
        read(text)
    lenient = read(text, mode="lenient")
    assert len(lenient.tables[0]) == 3
    assert np.isnan(lenient.tables[0].columns["YREL"][1])
    assert lenient.warnings[0].line == 31


def test_defects_without_columns(read, flat) -> None:
    text = flat.replace("DefectRecordSpec", "SomethingElse")
    for mode in ("strict", "lenient"):
        with pytest.raises(InputError, match="defects without columns"):
            read(text, mode=mode)


def test_wrong_number_of_columns(read, flat) -> None:
    text = flat.replace("DefectRecordSpec 9", "DefectRecordSpec 10")
    with pytest.raises(InputError, match=r"DefectRecordSpec does not add up: lot\.001:28;.*expected 10 names; got 9"):
        read(text)
    assert read(text, mode="lenient").tables == read(flat).tables


def test_a_column_named_twice(read, flat) -> None:
    text = flat.replace("DSIZE CLASSNUMBER", "SIBC CLASSNUMBER")
    with pytest.raises(InputError, match="expected different names"):
        read(text)
    assert list(read(text, mode="lenient").tables[0].columns)[-4:] == ["SIBC", "CLASSNUMBER", "TEST", "SIBC.2"]


def test_no_keyword(read, flat) -> None:
    text = flat.replace("  0 0\n  1 0", "  0 0;\n  1 0")
    with pytest.raises(InputError, match=r"does not begin with a keyword: lot\.001:25:3;.*got '1'"):
        read(text)
