"""IMAGELIST in both of its dialects."""

import pytest

from models.domain.errors import InputError

HEAD = """FileVersion 1 1;
LotID "L";
WaferID "W";
DefectRecordSpec {spec};
TiffFileName pictures.tif;
DefectList
"""
SPEC = "4 DEFECTID XREL IMAGECOUNT IMAGELIST"
COUNTED = """ 1 1.5 0 0
 2 1.5 2 2 1 0
   2 5
 3 1.5 0 0
 4 1.5 1 1 3 0;
EndOfFile;
"""
PAIRS = """ 1 1.5 0
 2 1.5 2 1 0
   2 5
 3 1.5 0
 4 1.5 1 3 0;
EndOfFile;
"""


def file_of(rows: str, spec: str = SPEC) -> str:
    return HEAD.format(spec=spec) + rows


def images(klarf) -> list[tuple]:
    found = klarf.tables[0].images
    return list(zip(found.row.tolist(), found.page.tolist(), found.kind.tolist(), found.file.tolist(), strict=True))


EXPECTED = [(1, 1, "0", "pictures.tif"), (1, 2, "5", "pictures.tif"), (3, 3, "0", "pictures.tif")]


@pytest.mark.parametrize("block", [1, 13, 30, 1 << 20])
@pytest.mark.parametrize("rows", [COUNTED, PAIRS])
def test_both_dialects(read, rows: str, block: int) -> None:
    klarf = read(file_of(rows), block=block)
    assert klarf.tables[0].columns["DEFECTID"].tolist() == [1, 2, 3, 4]
    assert list(klarf.tables[0].columns) == ["DEFECTID", "XREL", "IMAGECOUNT"]
    assert images(klarf) == EXPECTED


@pytest.mark.parametrize("rows", [" 1 1.5 0;\nEndOfFile;", " 1 1.5 0 0;\nEndOfFile;"])
def test_a_single_row_without_images(read, rows: str) -> None:
    assert len(read(file_of(rows)).tables[0]) == 1


def test_columns_behind_the_list(read) -> None:
    rows = " 1 0 0 7\n 2 2 2 1 0 2 5 8\n 3 0 0 9;\nEndOfFile;\n"
    klarf = read(file_of(rows, "4 DEFECTID IMAGECOUNT IMAGELIST TEST"))
    assert klarf.tables[0].columns["TEST"].tolist() == [7, 8, 9]
    assert images(klarf) == [(1, 1, "0", "pictures.tif"), (1, 2, "5", "pictures.tif")]


def test_image_count_without_list_is_a_column(read) -> None:
    klarf = read(file_of(" 1 1.5 3\n 2 1.5 0;\nEndOfFile;\n", "3 DEFECTID XREL IMAGECOUNT"))
    assert klarf.tables[0].columns["IMAGECOUNT"].tolist() == [3, 0]


def test_list_without_image_count(read) -> None:
    klarf = read(file_of(" 1 1.5 0\n 2 1.5 1 4 0;\nEndOfFile;\n", "3 DEFECTID XREL IMAGELIST"))
    assert images(klarf) == [(1, 4, "0", "pictures.tif")]


def test_many_rows_without_images(read) -> None:
    rows = "\n".join(f" {ordinal} 1.5 0 0" for ordinal in range(1, 500)) + ";\nEndOfFile;\n"
    for block in (1, 100, 1 << 20):
        assert read(file_of(rows), block=block).tables[0].columns["DEFECTID"].tolist() == list(range(1, 500))


def test_each_list_has_the_pictures_of_the_file_named_before_it(read) -> None:
    rows = " 1 1.5 1 1 0 0;\nTiffFilename other.tif;\nDefectList\n 2 1.5 1 1 9 0;\nEndOfFile;\n"
    assert images(read(file_of(rows))) == [(0, 0, "0", "pictures.tif"), (1, 9, "0", "other.tif")]


@pytest.mark.parametrize(
    ("good", "bad", "line"),
    [
        (" 3 1.5 0 0", " 3 1.5 1 0", 10),
        (" 3 1.5 0 0", " 3 0 0", 10),
        (" 3 1.5 0 0", " 3 1.5 x 0", 10),
        (" 1 1.5 0 0", " 1 1.5 9 0 0", 7),
    ],
)
def test_neither_dialect_fits(read, good: str, bad: str, line: int) -> None:
    text = file_of(COUNTED.replace(good, bad))
    with pytest.raises(InputError, match="do not fit its IMAGECOUNT") as failure:
        read(text)
    assert failure.value.complaint.where.split(":")[1] == str(line)
    lenient = read(text, mode="lenient")
    assert set(lenient.tables[0].columns["DEFECTID"].tolist()) <= {1, 2, 3, 4}
    assert lenient.warnings


def test_a_value_too_many_shifts_no_row_in_silence(read) -> None:
    rows = [f" {ordinal} 1.5 0 0" for ordinal in range(1, 40)]
    rows[9] = " 10 1.5 0 0 0"
    text = file_of("\n".join(rows) + ";\nEndOfFile;\n")
    with pytest.raises(InputError):
        read(text)
    lenient = read(text, mode="lenient")
    assert lenient.tables[0].columns["DEFECTID"].tolist() == [*range(1, 10), *range(11, 40)]


def test_pages_that_are_no_numbers(read) -> None:
    text = file_of(COUNTED.replace("1 1 3 0;", "1 1 x 0;"))
    with pytest.raises(InputError, match="image reference is no whole number"):
        read(text)
    assert images(read(text, mode="lenient"))[-1] == (3, -1, "0", "pictures.tif")


def test_counts_are_hints_that_reserve_nothing(read) -> None:
    with pytest.raises(InputError):
        read(file_of(COUNTED.replace("1 1 3 0;", "9999999 9999999 3 0;")))
