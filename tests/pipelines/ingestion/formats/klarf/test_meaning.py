"""Which statement belongs to which lot, wafer and test; and what odd values become."""

from datetime import datetime

import pytest

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.facts import parse_moment

WAFER = """DieOrigin {origin} 0;
WaferID "{name}";
Slot {slot};
SampleCenterLocation 1 2;
InspectionTest 1;
SampleTestPlan 1 {slot} 0;
DefectRecordSpec 4 DEFECTID XREL YREL TEST;
DefectList
 1 1.0 1.0 1;
SummarySpec 2 TESTNO NDEFECT;
SummaryList 1 1;
"""
HEAD = """FileVersion 1 2;
SampleSize 1 200;
LotID "A";
DeviceID "CHIP";
StepID "M1";
ClassLookup 1 5 "five";
DiePitch 10 20;
"""
END = "EndOfFile;\n"


def wafers_of(read, text: str):
    return read(text + END).wafers


def test_several_wafers_with_the_origin_before_the_id(read) -> None:
    text = HEAD + "".join(WAFER.format(origin=n * 100, name=f"W{n}", slot=n) for n in (1, 2, 3))
    wafers = wafers_of(read, text)
    assert [wafer.provenance.wafer for wafer in wafers] == ["W1", "W2", "W3"]
    assert [wafer.die_origin_um.x for wafer in wafers] == [100, 200, 300]
    assert [wafer.provenance.slot for wafer in wafers] == [1, 2, 3]
    assert [wafer.inspected_dies.tolist() for wafer in wafers] == [[[1, 0]], [[2, 0]], [[3, 0]]]
    assert all(wafer.diameter_um == 200_000 and wafer.classes == {5: "five"} for wafer in wafers)


def test_a_slot_is_not_inherited(read) -> None:
    text = (
        HEAD
        + WAFER.format(origin=0, name="W1", slot=1)
        + WAFER.format(origin=0, name="W2", slot=2).replace("Slot 2;", "")
    )
    assert [wafer.provenance.slot for wafer in wafers_of(read, text)] == [1, None]


def test_a_slot_may_precede_the_id(read) -> None:
    one = WAFER.format(origin=0, name="W1", slot=1).replace("Slot 1;\n", "").replace("WaferID", "Slot 1;\nWaferID")
    two = WAFER.format(origin=0, name="W2", slot=2).replace("Slot 2;\n", "").replace("WaferID", "Slot 2;\nWaferID")
    assert [wafer.provenance.slot for wafer in wafers_of(read, HEAD + one + two)] == [1, 2]


def test_another_lot_inherits_geometry_but_no_names(read) -> None:
    text = HEAD + WAFER.format(origin=0, name="W1", slot=1) + 'LotID "B";\n' + WAFER.format(origin=0, name="W2", slot=2)
    one, two = wafers_of(read, text)
    assert (one.provenance.lot, one.provenance.product, one.provenance.step) == ("A", "CHIP", "M1")
    assert (two.provenance.lot, two.provenance.product, two.provenance.step) == ("B", None, None)
    assert two.diameter_um == 200_000


def test_facts_behind_the_only_defects_still_count(read) -> None:
    text = HEAD.replace("DiePitch 10 20;\n", "").replace('StepID "M1";\n', "")
    text += WAFER.format(origin=0, name="W1", slot=1) + 'DiePitch 10 20;\nStepID "M9";\n'
    (wafer,) = wafers_of(read, text)
    assert (wafer.die_pitch_um.x, wafer.provenance.step) == (10, "M9")


def test_tests_of_a_wafer(read) -> None:
    tests = "InspectionTest 1;\nSampleTestPlan 1 0 0;\nAreaPerTest 5;\nInspectionTest 2;\nSampleTestPlan 2 0 0 1 1;\n"
    text = HEAD + WAFER.format(origin=0, name="W", slot=1).replace("InspectionTest 1;\nSampleTestPlan 1 1 0;\n", tests)
    (wafer,) = wafers_of(read, text)
    assert [(test.number, test.area_um2, len(test.dies)) for test in wafer.tests] == [(1, 5.0, 1), (2, None, 2)]
    assert wafer.inspected_dies.tolist() == [[0, 0], [1, 1]]


def test_a_plan_in_pieces(read) -> None:
    text = HEAD + WAFER.format(origin=0, name="W", slot=1).replace(
        "DefectRecord", "SampleTestPlan 1 9 9;\nDefectRecord"
    )
    assert wafers_of(read, text)[0].inspected_dies.tolist() == [[1, 0], [9, 9]]


def test_no_plan_is_not_an_empty_plan(read) -> None:
    body = WAFER.format(origin=0, name="W", slot=1)
    without = wafers_of(read, HEAD + body.replace("SampleTestPlan 1 1 0;\n", ""))[0]
    empty = wafers_of(read, HEAD + body.replace("SampleTestPlan 1 1 0;\n", "SampleTestPlan 0;\n"))[0]
    assert without.inspected_dies is None
    assert len(empty.inspected_dies) == 0


def test_lists_with_different_columns_of_one_wafer(read) -> None:
    more = "DefectRecordSpec 3 DEFECTID XREL SIZE;\nDefectList\n 2 7.0 3.5;\n"
    text = HEAD + WAFER.format(origin=0, name="W", slot=1).replace("SummarySpec 2", f"{more}SummarySpec 2").replace(
        "1 1;\n", "1 2;\n"
    )
    text = text.replace("1.0 1 2;", "1.0 1;")
    (wafer,) = wafers_of(read, text)
    assert list(wafer.defects.columns) == ["DEFECTID", "XREL", "YREL", "TEST", "SIZE"]
    assert wafer.defects.columns["XREL"].tolist() == [1.0, 7.0]
    assert str(wafer.defects.columns["SIZE"].tolist()) == "[nan, 3.5]"


def test_a_wafer_without_a_list_is_not_a_clean_wafer(read) -> None:
    text = HEAD + WAFER.format(origin=0, name="W1", slot=1) + 'WaferID "W2";\n' + END
    with pytest.raises(InputError, match=r"a wafer without a DefectList: lot\.001:19; .*got wafer 'W2'"):
        read(text)
    lenient = read(text, mode="lenient")
    assert [wafer.provenance.wafer for wafer in lenient.wafers] == ["W1"]
    assert lenient.warnings[0].code == "no-defect-list"


def test_defects_without_a_wafer(read) -> None:
    text = HEAD + WAFER.format(origin=0, name="W1", slot=1).replace('WaferID "W1";\n', "") + END
    with pytest.raises(InputError, match="defects without a wafer"):
        read(text)
    (wafer,) = read(text, mode="lenient").wafers
    assert len(wafer.defects) == 1
    assert wafer.provenance.wafer is None


def test_counts_of_the_summary(read) -> None:
    text = HEAD + WAFER.format(origin=0, name="W1", slot=1).replace("SummaryList 1 1;", "SummaryList 1 2;") + END
    with pytest.raises(InputError, match=r"wafer W1\): lot\.001:9; expected NDEFECT 2; got 1 defects") as failure:
        read(text)
    assert failure.value.code == "defect-count"
    assert len(read(text, mode="lenient").wafers[0].defects) == 1


def test_counts_of_each_test(read) -> None:
    rows = " 1 1.0 1.0 1\n 2 1.0 1.0 2\n 3 1.0 1.0 2;"
    body = WAFER.format(origin=0, name="W", slot=1).replace(" 1 1.0 1.0 1;", rows)
    assert wafers_of(read, HEAD + body.replace("SummaryList 1 1;", "SummaryList 1 1 2 2;"))
    with pytest.raises(InputError, match="test 1 has another number"):
        wafers_of(read, HEAD + body.replace("SummaryList 1 1;", "SummaryList 1 2 2 1;"))


def test_defects_of_a_test_that_the_summary_does_not_name(read) -> None:
    rows = " 1 1.0 1.0 1\n 2 1.0 1.0 2\n 3 1.0 1.0 3;"
    body = WAFER.format(origin=0, name="W", slot=1).replace(" 1 1.0 1.0 1;", rows)
    with pytest.raises(InputError, match="the wafer has another number"):
        wafers_of(read, HEAD + body.replace("SummaryList 1 1;", "SummaryList 1 1 2 1;"))


@pytest.mark.parametrize(
    ("good", "bad", "what"),
    [
        ("SampleTestPlan 1 1 0", "SampleTestPlan 2 1 0", "SampleTestPlan does not hold what it says"),
        ("SampleTestPlan 1 1 0", "SampleTestPlan 1 1 x", "SampleTestPlan does not hold what it says"),
        ("SampleTestPlan 1 1 0", "SampleTestPlan 1 1 99999999999", "SampleTestPlan does not hold what it says"),
        ('ClassLookup 1 5 "five"', 'ClassLookup 2 5 "five"', "ClassLookup does not hold what it says"),
        ('ClassLookup 1 5 "five"', 'ClassLookup 1 x "five"', "ClassLookup does not hold what it says"),
        ("SummaryList 1 1;", "SummaryList 1 1 2;", "summary does not fit its columns"),
        ("SummarySpec 2 TESTNO NDEFECT;\n", "", "summary does not fit its columns"),
        ("DiePitch 10 20", "DiePitch 10", "DIEPITCH makes no sense"),
        ("DiePitch 10 20", "DiePitch 10 twenty", "DIEPITCH makes no sense"),
        ("Slot 1", "Slot one", "SLOT makes no sense"),
        ("SampleSize 1 200", "SampleSize round", "SAMPLESIZE makes no sense"),
    ],
)
def test_values_that_make_no_sense(read, good: str, bad: str, what: str) -> None:
    text = (HEAD + WAFER.format(origin=0, name="W1", slot=1) + END).replace(good, bad)
    assert bad in text or not bad
    with pytest.raises(InputError, match=what) as failure:
        read(text)
    assert failure.value.complaint.where.startswith("lot.001:")
    lenient = read(text, mode="lenient")
    assert len(lenient.wafers[0].defects) == 1
    assert len(lenient.warnings) == 1


def test_odd_values_that_are_no_errors(read) -> None:
    text = (HEAD + WAFER.format(origin=0, name="W1", slot=1) + END).replace("SampleSize 1 200", "SampleSize 2 10 20")
    text = text.replace('LotID "A"', 'LotID "A";\nOrientationMarkLocation SIDEWAYS;\nResultTimestamp never')
    klarf = read(text)
    assert {warning.code for warning in klarf.warnings} == {"no-disc", "unknown-direction", "bad-time"}
    (wafer,) = klarf.wafers
    assert (wafer.diameter_um, wafer.mark, wafer.provenance.inspected_at) == (None, None, None)


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("12-08-2025", "04:57:03", datetime(2025, 12, 8, 4, 57, 3)),
        ("12-08-25", "4:57:03", datetime(2025, 12, 8, 4, 57, 3)),
        ("07-07-77", "0:17:07", datetime(1977, 7, 7, 0, 17, 7)),
        ("01-01-69", "00:00:00", datetime(2069, 1, 1)),
        ("2025-12-08", "04:57:03", datetime(2025, 12, 8, 4, 57, 3)),
        ("13-40-2025", "04:57:03", None),
        ("12-08-2025", "noon", None),
        ("", "", None),
    ],
)
def test_dates(date: str, time: str, expected: datetime | None) -> None:
    assert parse_moment(date, time) == expected


@pytest.mark.parametrize(
    ("words", "mark"),
    [
        ("DOWN", "DOWN"),
        ("down", "DOWN"),
        ('"LEFT"', "LEFT"),
        ("90", "LEFT"),
        ("180", "UP"),
        ("270.0", "RIGHT"),
        ("-90", "RIGHT"),
    ],
)
def test_directions_of_the_mark(read, words: str, mark: str) -> None:
    text = HEAD + f"OrientationMarkLocation {words};\n" + WAFER.format(origin=0, name="W", slot=1)
    assert wafers_of(read, text)[0].mark == mark


def test_flags_of_coordinates(read) -> None:
    text = HEAD + "CoordinatesMirrored yes;\nCoordinatesCentered NO;\n" + WAFER.format(origin=0, name="W", slot=1)
    (wafer,) = wafers_of(read, text)
    assert wafer.mirrored
    assert not wafer.centred
