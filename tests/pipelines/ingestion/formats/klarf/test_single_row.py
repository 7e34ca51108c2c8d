"""A list of its own for each defect gives the same table as one list of all."""

import pytest

from models.domain.errors import InputError, RetryableError

HEAD = "FileVersion 1 2;\nLotID L;\nWaferID W;\nDefectRecordSpec {spec};\n"
PLAIN = "3 DEFECTID XREL LABEL"
IMAGES = "5 DEFECTID XREL IMAGECOUNT IMAGELIST LABEL"


def apart(rows: list[str], spec: str) -> str:
    return HEAD.format(spec=spec) + "".join(f"DefectList\n {row};\n" for row in rows) + "EndOfFile;\n"


def together(rows: list[str], spec: str) -> str:
    return HEAD.format(spec=spec) + "DefectList\n" + "\n ".join(rows) + ";\nEndOfFile;\n"


@pytest.mark.parametrize("count", [1, 2, 5000])
def test_plain_rows(read, count: int) -> None:
    rows = [f"{ordinal} {ordinal}.25 A{ordinal}" for ordinal in range(count)]
    one, other = read(apart(rows, PLAIN)), read(together(rows, PLAIN))
    assert one.tables == other.tables
    assert len(one.wafers[0].rows) == count


@pytest.mark.parametrize(
    "rows",
    [["1 1.5 0 0 a", "2 1.5 2 2 1 0 2 5 b", "3 1.5 1 1 9 9 c"], ["1 1.5 0 a", "2 1.5 2 1 0 2 5 b", "3 1.5 1 9 9 c"]],
)
def test_rows_with_images_in_both_dialects(read, rows: list[str]) -> None:
    assert read(apart(rows, IMAGES)).tables == read(together(rows, IMAGES)).tables


def test_lists_of_one_row_among_others(read) -> None:
    text = (
        HEAD.format(spec=PLAIN) + 'DefectList 1 1 a;\nDefectList;\nDefectList\n 2 1 b\n 3 1 c;\nDefectList 4 1 "d";\n'
    )
    text += "DefectList 5 1 e;\nEndOfFile;\n"
    klarf = read(text)
    assert klarf.tables[0].columns["DEFECTID"].tolist() == [1, 2, 3, 4, 5]
    assert [(rows.start, rows.stop) for rows in klarf.wafers[0].rows] == [(0, 1), (1, 1), (1, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize(
    ("spec", "row"),
    [
        (PLAIN, "1 1"),
        (PLAIN, "1 1 a b"),
        (PLAIN, "x 1 a"),
        (IMAGES, "1 1.5 1 0 a"),
        (IMAGES, "1 1.5 1 2 1 0 a"),
        (IMAGES, "1 1.5 1 1 x 0 a"),
        (IMAGES, "1 1.5 0"),
    ],
)
def test_what_is_wrong_is_found(read, spec: str, row: str) -> None:
    good = "1 1 a" if spec == PLAIN else "1 1.5 0 0 a"
    with pytest.raises(InputError) as failure:
        read(apart([good, row, good], spec))
    assert failure.value.complaint.where.startswith("lot.001:8")


def test_a_row_that_is_cut_off(read) -> None:
    with pytest.raises(RetryableError):
        read(HEAD.format(spec=PLAIN) + "DefectList 1 1 a")
