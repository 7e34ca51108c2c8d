"""A file gets no more than the limits allow, however it asks; and it is refused quickly."""

import contextlib
import io
import time

import pytest

from models.domain.errors import UnsafeInputError, WaferwatchError
from pipelines.ingestion.formats.klarf import KlarfLimits, read_klarf


def refused(read, text: str, what: str, **limits: int) -> None:
    with pytest.raises(UnsafeInputError, match=what):
        read(text, block=64, **limits)
    with pytest.raises(UnsafeInputError, match=what):
        read(text, **limits)


def test_file_bytes(read, flat, nested) -> None:
    refused(read, flat, "file is too large", file_bytes=200)
    refused(read, nested, "file is too large", file_bytes=200)


def test_defects(read, flat, nested) -> None:
    refused(read, flat, "too many defects", defects=2)
    refused(read, nested, "too many defects", defects=2)


def test_images(read, nested) -> None:
    refused(read, nested, "too many image references", images=1)


def test_columns(read, flat, nested) -> None:
    refused(read, flat, "too many columns", columns=8)
    refused(read, nested, "too many columns", columns=4)


def test_word_bytes(read, flat, nested) -> None:
    long = "x" * 100
    refused(read, flat.replace('"M1"', f'"{long}"'), "value of statement StepID is too long", word_bytes=90)
    refused(read, flat.replace("StepID", long), "keyword is too long", word_bytes=90)
    refused(read, flat.replace("0.1\n", f"{long}\n"), "value of a defect is too long", word_bytes=90)
    refused(read, nested.replace('"M1"', f'"{long}"'), "value of field StepID is too long", word_bytes=90)
    refused(read, nested.replace("StepID", long), "word is too long", word_bytes=90)


def test_what_follows_a_quoted_word_is_not_part_of_it(read, flat, nested) -> None:
    many = '"a b" ' + "1 " * 3000
    assert read(flat.replace("StepID", f"Vendor {many};\nStepID")).parts[9].values[:2] == ("a b", "1")
    assert read(nested.replace("Field StepID", f"Field Vendor 3001 {{{many}}} Field StepID")).wafers
    assert read(flat.replace('"M1"', '"' + "x" * 4096 + '"')).wafers


def test_row_bytes(read, flat, nested) -> None:
    blanks = " " * 5000
    text = flat.replace("\n 3 1.25e+3", f"\n 3{blanks}1.25e+3")
    refused_in_small_blocks(read, text, "row is too long", row_bytes=100)
    text = nested.replace("3 1250000", f"3{blanks}1250000")
    refused_in_small_blocks(read, text, "row is too long", row_bytes=100)


def refused_in_small_blocks(read, text: str, what: str, **limits: int) -> None:
    with pytest.raises(UnsafeInputError, match=what):
        read(text, block=64, **limits)


def test_part_bytes(read, flat, nested) -> None:
    plan = "\n".join(f"{n} 0" for n in range(100))
    refused(
        read,
        flat.replace("SampleTestPlan 3\n", f"SampleTestPlan 103\n{plan}\n"),
        "SampleTestPlan is too long",
        part_bytes=300,
    )
    refused(read, nested.replace("Data 3 {", f"Data 3 {{ {plan}"), "SampleTestPlanList is too long", part_bytes=300)


def test_header_bytes(read, flat, nested) -> None:
    refused(read, flat, "apart from its defects is too long", header_bytes=300)
    refused(read, nested, "apart from its defects is too long", header_bytes=100)


def test_parts(read, flat, nested) -> None:
    refused(read, flat, "too many statements", parts=10)
    refused(read, nested, "too many parts", parts=10)


def test_nesting(read, nested) -> None:
    refused(read, nested, "too many records in each other", nesting=2)


def test_a_hole_of_zeros(read, flat) -> None:
    text = flat.replace("LotID", "\0" * 5000 + "LotID")
    refused_in_small_blocks(read, text, "hole of zero bytes is too long", row_bytes=1000)


@pytest.mark.parametrize(
    "text",
    [
        "FileVersion 1 2;\nX " + '"a\n' * 12_000,
        "FileVersion 1 2;\nX " + '"' * 100_001,
        "FileVersion 1 2;\n" + ";" * 100_000,
        "FileVersion 1 2;\n" + "a;" * 12_000,
        "FileVersion 1 2;\nWaferID 1;\nDefectRecordSpec 1 A;\nDefectList\n" + '"\n' * 12_000,
        "FileVersion 1 2;\nWaferID 1;\nDefectRecordSpec 2 A B;\nDefectList\n" + "1\n2 3 4\n" * 15_000 + "1;EndOfFile;",
        "FileVersion 1 2;\nWaferID 1;\nDefectRecordSpec 3 A IMAGECOUNT IMAGELIST;\nDefectList\n"
        + "1 1 0\n" * 15_000
        + ";EndOfFile;",
        "FileVersion 1 2;\nWaferID 1;\nDefectRecordSpec 1 XREL;\nDefectList\n" + "x " * 50_000 + ";EndOfFile;",
        "FileVersion 1 2;\n" + "WaferID 1;\nDefectRecordSpec 1 A;\nDefectList;\n" * 2_500 + "EndOfFile;",
        'Record FileRecord "1.8" {' + "{" * 100_000,
        'Record FileRecord "1.8" {' + "Field A 1 {" * 12_000,
        'Record FileRecord "1.8" {' + "Record A {" * 12_000,
        'Record FileRecord "1.8" {' + 'Field A 1 {"' * 12_000,
        'Record FileRecord "1.8" { List DefectList { Columns 1 { int32 A } Data 1 {' + "1 { ; " * 20_000,
        'Record FileRecord "1.8" { List DefectList { Columns 1 { int32 A } Data 1 {' + '"\n' * 12_000,
        'Record FileRecord "1.8" { List DefectList { Columns 1 { ImageList A } Data 1 {' + "Images 1 {" * 12_000,
        'Record FileRecord "1.8" { List L { Columns 1 { int32 A } Data 1 {' + "{}" * 12_000,
    ],
)
@pytest.mark.parametrize("mode", ["strict", "lenient"])
@pytest.mark.timeout(60)
def test_time_is_linear_on_files_made_to_waste_it(text: str, mode: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(WaferwatchError):
        read_klarf(io.BytesIO(text.encode()), mode=mode, limits=KlarfLimits(block_bytes=1 << 16))
    assert time.process_time() - begun < 10, "a hundred kilobytes"
