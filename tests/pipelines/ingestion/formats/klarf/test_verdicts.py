"""Verdicts are written back without touching what the tool wrote."""

import dataclasses

import numpy as np
import pytest

from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion.formats.klarf import Author, ReservedClasses, Signature, WaferVerdict, with_verdicts
from pipelines.ingestion.formats.klarf.document import Listing, Record, Statement

CLASSES = ReservedClasses(("none", "Scratch", "Edge-Ring"))
AUTHOR = Author("wafer", "7", "abc123")
VERDICT = WaferVerdict(0, "Scratch", 0.98765, (Signature("Scratch", np.array([0, 2])), Signature(None, np.array([1]))))


@pytest.fixture(params=["flat", "nested"])
def klarf(request, read):
    return read(request.getfixturevalue(request.param))


def listings(record: Record, name: str) -> list[Listing]:
    found = []
    for part in record.parts:
        if isinstance(part, Record):
            found += listings(part, name)
        elif isinstance(part, Listing) and part.name == name:
            found.append(part)
    return found


def entries(klarf) -> dict[str, str]:
    if klarf.nested:
        (found,) = listings(klarf.parts[0], "CustomWaferList")
        return dict(found.rows)
    (statement,) = (part for part in klarf.parts if isinstance(part, Statement) and part.is_a("CustomWaferList"))
    assert statement.values[0] == "5"
    return dict(zip(statement.values[1::2], statement.values[2::2], strict=True))


def test_the_verdict_reads_back(klarf, read, written) -> None:
    judged = read(written(with_verdicts(klarf, [VERDICT], AUTHOR, CLASSES)))
    (wafer,) = judged.wafers
    assert wafer.defects.columns["MACROSIGCLASS"].tolist() == [902, 900, 902]
    assert wafer.defects.columns["MACROSIGID"].tolist() == [1, 2, 1]
    assert wafer.classes[902] == "Scratch"
    assert wafer.classes[900] == "UNKNOWN"
    assert 903 not in wafer.classes, "only labels that are used"
    assert entries(judged) == {
        "WAFERWATCH_MODEL": "wafer",
        "WAFERWATCH_VERSION": "7",
        "WAFERWATCH_DIGEST": "abc123",
        "WAFERWATCH_LABEL": "Scratch",
        "WAFERWATCH_CONFIDENCE": "0.9877",
    }


def test_what_the_tool_wrote_stays(klarf, read, written) -> None:
    judged = read(written(with_verdicts(klarf, [VERDICT], AUTHOR, CLASSES)))
    assert judged.version == klarf.version
    before, after = klarf.wafers[0], judged.wafers[0]
    assert before.provenance == after.provenance
    for name, values in before.defects.columns.items():
        np.testing.assert_array_equal(values, after.defects.columns[name])
    assert before.defects.images == after.defects.images
    assert dict(before.classes) == {number: name for number, name in after.classes.items() if not 900 <= number <= 999}
    kept = [part for part in judged.parts if part in klarf.parts]
    if not klarf.nested:
        assert len(kept) == len(klarf.parts) - 2, "all but ClassLookup and DefectRecordSpec"


def test_the_new_columns_stand_before_the_images(read, nested) -> None:
    names = [column.name for column in with_verdicts(read(nested), [VERDICT], AUTHOR, CLASSES).tables[0].layout]
    assert names[-3:] == ["MACROSIGCLASS", "MACROSIGID", "IMAGEINFO"]


def test_judging_again_replaces(klarf, read, written) -> None:
    once = with_verdicts(klarf, [VERDICT], AUTHOR, CLASSES)
    other = WaferVerdict(0, None, 0.5, (Signature("Edge-Ring", np.array([1])),))
    twice = read(written(with_verdicts(once, [other], Author("wafer", "8"), CLASSES)))
    assert twice.wafers[0].defects.columns["MACROSIGCLASS"].tolist() == [0, 903, 0]
    assert twice.wafers[0].defects.columns["MACROSIGID"].tolist() == [0, 1, 0]
    if klarf.nested:
        assert entries(twice)["WAFERWATCH_LABEL"] == "UNKNOWN"
        assert "WAFERWATCH_DIGEST" not in entries(twice)
    assert with_verdicts(once, [VERDICT], AUTHOR, CLASSES) == once


def test_signatures_of_the_tool_stay(read, flat) -> None:
    text = flat.replace("TEST SIBC;", "MACROSIGCLASS MACROSIGID;").replace("7 1 0.1", "7 33 4")
    text = text.replace("-1 1 12", "-1 0 0").replace("1001 1 -4.5", "1001 NA 0")
    judged = with_verdicts(
        read(text), [WaferVerdict(0, "Scratch", 1, (Signature("Scratch", np.array([1])),))], AUTHOR, CLASSES
    )
    columns = judged.wafers[0].defects.columns
    np.testing.assert_array_equal(columns["MACROSIGCLASS"], [33, 902, np.nan])
    assert columns["MACROSIGID"].tolist() == [4, 5, 0]


def test_a_file_without_classes_gets_ours(read, written, flat, nested) -> None:
    start, end = flat.index("ClassLookup"), flat.index("InspectionTest")
    judged = read(written(with_verdicts(read(flat[:start] + flat[end:]), [VERDICT], AUTHOR, CLASSES)))
    assert dict(judged.wafers[0].classes) == {900: "UNKNOWN", 902: "Scratch"}
    start, end = nested.index("    List ClassLookupList"), nested.rindex("  }\n}\n")
    judged = read(written(with_verdicts(read(nested[:start] + nested[end:]), [VERDICT], AUTHOR, CLASSES)))
    assert dict(judged.wafers[0].classes) == {900: "UNKNOWN", 902: "Scratch"}


def test_own_entries_of_the_tool_stay(read, written, nested) -> None:
    own = 'List CustomWaferList { Columns 2 { string NAME, string VALUE } Data 1 { "a" "b" ; } }\n'
    text = nested.replace("      Record TestRecord", own + "      Record TestRecord")
    judged = read(written(with_verdicts(read(text), [VERDICT], AUTHOR, CLASSES)))
    assert entries(judged)["a"] == "b"
    assert len(entries(judged)) == 6
    other = text.replace("string NAME, string VALUE", "string X, string Y")
    judged = read(written(with_verdicts(read(other), [VERDICT], AUTHOR, CLASSES)))
    names = [getattr(part, "name", "") for part in judged.parts[0].parts[1].parts[0].parts]
    assert "WAFERWATCH_MODEL" in names


def test_wafers_in_one_file_are_judged_apart(read, written, flat) -> None:
    body = flat[flat.index("WaferID") : flat.index("EndOfFile")]
    text = flat.replace("EndOfFile", body.replace('"W1"', '"W2"') + "EndOfFile")
    judged = read(written(with_verdicts(read(text), [dataclasses.replace(VERDICT, wafer=1)], AUTHOR, CLASSES)))
    assert judged.wafers[0].defects.columns["MACROSIGCLASS"].tolist() == [0, 0, 0]
    assert judged.wafers[1].defects.columns["MACROSIGCLASS"].tolist() == [902, 900, 902]


def test_defects_listed_in_several_places(read, written, flat) -> None:
    text = flat.replace("\n 2 -3.0", ";\nDefectList\n 2 -3.0")
    judged = read(written(with_verdicts(read(text), [VERDICT], AUTHOR, CLASSES)))
    assert judged.wafers[0].defects.columns["MACROSIGID"].tolist() == [1, 2, 1]


def test_class_numbers_in_use_are_not_taken(read, flat) -> None:
    klarf = read(flat.replace('1001 "Scratch"', '901 "Particle"'))
    with pytest.raises(ConfigurationError, match=r"reserved class is in use: class 901; expected none; got Particle"):
        with_verdicts(klarf, [VERDICT], AUTHOR, CLASSES)
    moved = with_verdicts(klarf, [VERDICT], AUTHOR, ReservedClasses(CLASSES.labels, 950, 960))
    assert moved.wafers[0].classes[952] == "Scratch"


def test_verdicts_about_nothing(read, flat) -> None:
    klarf = read(flat)
    for verdict in (WaferVerdict(1, None, 0), WaferVerdict(0, None, 0, (Signature(None, np.array([3])),))):
        with pytest.raises(InputError):
            with_verdicts(klarf, [verdict], AUTHOR, CLASSES)
    with pytest.raises(ConfigurationError, match="label without a reserved class"):
        with_verdicts(klarf, [WaferVerdict(0, "Other", 0)], AUTHOR, CLASSES)


@pytest.mark.parametrize("labels", [("a", "a"), ("UNKNOWN",), tuple(map(str, range(100)))])
def test_labels_that_do_not_fit_the_range(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        ReservedClasses(labels)
