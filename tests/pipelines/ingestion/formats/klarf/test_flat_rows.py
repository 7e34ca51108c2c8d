"""Rows that lose or gain a value are found, even when the total is right; lenient mode never makes up a row."""

import pytest

from models.domain.errors import InputError

HEAD = """FileVersion 1 2;
LotID "L";
WaferID "W";
DefectRecordSpec 4 DEFECTID XREL YREL TEST;
DefectList
"""
TAIL = "EndOfFile;\n"


def rows(count: int) -> list[str]:
    return [f" {ordinal} {ordinal}.5 7 1" for ordinal in range(1, count + 1)]


def file_of(lines: list[str]) -> str:
    return HEAD + "\n".join(lines) + ";\n" + TAIL


def ids(klarf) -> list[int]:
    return klarf.tables[0].columns["DEFECTID"].tolist()


@pytest.mark.parametrize("block", [1, 20, 37, 100, 1 << 20])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_sound_rows(read, block: int, count: int) -> None:
    assert ids(read(file_of(rows(count)), block=block)) == list(range(1, count + 1))


@pytest.mark.parametrize("block", [1, 33, 150, 1 << 20])
@pytest.mark.parametrize(("short", "long"), [(3, 4), (3, 40), (40, 3), (1, 50), (50, 1)])
def test_one_value_too_few_and_one_too_many(read, block: int, short: int, long: int) -> None:
    lines = rows(50)
    lines[short - 1] = f" {short} 7 1"
    lines[long - 1] = f" {long} 1.5 7 7 1"
    text = file_of(lines)
    with pytest.raises(InputError) as failure:
        read(text, block=block)
    assert failure.value.code == "row-width"
    lenient = read(text, mode="lenient", block=block)
    assert set(ids(lenient)) <= set(range(1, 51)) - {short, long}
    assert lenient.warnings


def test_the_message_names_the_line(read) -> None:
    lines = rows(9)
    lines[4] = " 5 7 1"
    with pytest.raises(InputError) as failure:
        read(file_of(lines))
    assert str(failure.value) == (
        "a defect row has a wrong number of values: lot.001:10:2; expected 4 values, as DefectRecordSpec says; got 3; "
        "lenient mode leaves such rows out and says which"
    )


def test_lenient_mode_keeps_the_sound_rows_and_names_the_others(read) -> None:
    lines = rows(9)
    lines[4] = " 5 7 1"
    lines[6] = " 7 1.5 7 7 1"
    klarf = read(file_of(lines), mode="lenient")
    assert ids(klarf) == [1, 2, 3, 4, 6, 8, 9]
    assert [(warning.code, warning.line) for warning in klarf.warnings] == [("row-width", 10), ("row-width", 12)]


def test_lenient_mode_leaves_out_an_incomplete_last_row(read) -> None:
    klarf = read(file_of([*rows(3), " 4 1.5"]), mode="lenient")
    assert ids(klarf) == [1, 2, 3]
    assert [(warning.code, warning.line) for warning in klarf.warnings] == [("row-width", 9)]


def test_rows_wrapped_in_all_ways(read) -> None:
    wrapped = file_of([line.replace(" 7", "\n 7") if ordinal % 3 else line for ordinal, line in enumerate(rows(40))])
    for block in (1, 50, 1 << 20):
        assert ids(read(wrapped, block=block)) == list(range(1, 41))


def test_a_flowing_text_without_rows_for_lines(read) -> None:
    words = " ".join(rows(40)).split()
    flowing = file_of([" ".join(words[at : at + 7]) for at in range(0, len(words), 7)])
    for block in (1, 50, 1 << 20):
        assert ids(read(flowing, block=block)) == list(range(1, 41))


def test_warnings_are_bounded_and_the_rest_is_counted(read) -> None:
    lines = [line if ordinal % 2 else line + " 9" for ordinal, line in enumerate(rows(41), start=1)]
    lines += rows(40)
    klarf = read(file_of(lines), mode="lenient", warnings=5)
    assert len(klarf.warnings) == 6
    assert klarf.warnings[-1].code == "more-warnings"
    assert "15 further" in klarf.warnings[-1].message
