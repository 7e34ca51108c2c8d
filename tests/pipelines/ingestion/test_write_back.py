"""Inspections go back into the tool's file: the defects of a pattern, and what the wafer is."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError
from models.domain.inspection import BundleRef, Inspection
from models.domain.tiling import Level, Window
from models.domain.verdict import Labels, Reason, Verdict
from pipelines.ingestion import judged_klarf, open_captures
from pipelines.ingestion.formats.klarf import Klarf, read_klarf, write_klarf

LABELS = Labels(("none", "Scratch", "Ring"), normal="none")
WHOLE = Window(Level(0, 64, 64), 0, 0, 64, 64)
FINE = Level(1, 128, 128)


def said(label: str | None, window: Window = WHOLE, **parts: object) -> Verdict:
    reason = Reason.NOVEL if label is None else Reason.CONFIDENT
    return Verdict(**{"window": window, "label": label, "confidence": 0.75, "novelty": 1.0, "reason": reason} | parts)


@pytest.fixture
def file(tmp_path: Path, samples: dict[str, bytes]) -> Path:
    """Two defects: one left of and below the centre, the other right of and above it."""
    path = tmp_path / "wafer.001"
    path.write_bytes(samples["klarf"])
    return path


def judged(file: Path, *verdicts: Verdict) -> Klarf:
    (reader,) = open_captures(file)
    found = Inspection(reader.capture, BundleRef("wafer", "7", "d" * 64), verdicts, "none", datetime.now(UTC), 0.1)
    klarf = judged_klarf(file, {0: found}, LABELS)
    target = file.with_name("judged.001")
    write_klarf(klarf, target)
    assert read_klarf(target) == klarf
    return klarf


def signatures(klarf: Klarf) -> tuple[list[int], list[int]]:
    columns = klarf.wafers[0].defects.columns
    return columns["MACROSIGCLASS"].tolist(), columns["MACROSIGID"].tolist()


def test_a_verdict_on_the_whole_wafer_is_of_all_its_defects(file: Path) -> None:
    klarf = judged(file, said("Scratch"))
    assert signatures(klarf) == ([902, 902], [1, 1])
    assert klarf.wafers[0].classes[902] == "Scratch"
    text = file.with_name("judged.001").read_text()
    assert 'WAFERWATCH_LABEL "Scratch"' in text
    assert 'WAFERWATCH_VERSION "7"' in text


def test_the_finest_windows_say_which_defects(file: Path) -> None:
    (reader,) = open_captures(file)
    rows, columns = -reader.points.y_um, reader.points.x_um
    right = int(np.argmax(columns))
    left = 1 - right
    half = Window(FINE, 0, 64, 128, 64)  # the right half of the wafer
    assert columns[left] < 0 < columns[right], rows
    classes, ids = signatures(judged(file, said("none"), said("Ring", half)))
    assert (classes[right], ids[right]) == (903, 1)
    assert (classes[left], ids[left]) == (0, 0)


def test_unknown_is_a_class_of_its_own(file: Path) -> None:
    klarf = judged(file, said(None, likeliest="Ring"))
    assert signatures(klarf) == ([900, 900], [1, 1])
    assert 'WAFERWATCH_LABEL "UNKNOWN"' in file.with_name("judged.001").read_text()


def test_a_normal_wafer_has_no_signature(file: Path) -> None:
    assert signatures(judged(file, said("none"))) == ([0, 0], [0, 0])


def test_several_patterns_on_one_window(file: Path) -> None:
    classes, ids = signatures(judged(file, said("Ring", also=("Scratch",))))
    assert set(classes) <= {902, 903}
    assert len(set(ids)) == 1, "a defect in several patterns belongs to the last one"


def test_other_files_are_refused(tmp_path: Path, samples: dict[str, bytes]) -> None:
    path = tmp_path / "map.sinf"
    path.write_bytes(samples["sinf"])
    (reader,) = open_captures(path)
    found = Inspection(reader.capture, BundleRef("w", "1", "d" * 64), (said("Ring"),), "none", datetime.now(UTC), 0.1)
    with pytest.raises(InputError):
        judged_klarf(path, {0: found}, LABELS)
