"""Files of other makers: the sound ones hold what their own summaries count, the others are refused with the reason."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf import is_klarf, read_klarf

SOUND = {
    "CPS3TwithoutReview.001": [16],
    "LARGE_KLARF.000": [22190],
    "QUU_NUU.000": [56, 36, 95],
    "klarf12Example.klarf": [2],
    "simple12.klarf": [1],
}
WRONG = {
    "bad12.klarf": ("no-defect-list", "a wafer without a DefectList"),
    "klarf_no_defect.000": ("defect-count", "expected NDEFECT 40; got 0 defects"),
    "simple18.klarf": ("defect-count", "expected NDEFECT 4; got 2 defects"),
    "wierdKlarfWithNAs.klarf": ("defect-count", "expected NDEFECT 4; got 2 defects"),
}


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "klarf"


def test_all_files_are_looked_at(folder) -> None:
    assert {path.name for path in folder.iterdir()} == {*SOUND, *WRONG}
    assert all(is_klarf(path.read_bytes()[:1024]) for path in folder.iterdir())


@pytest.mark.parametrize("name", SOUND)
def test_sound_files_hold_what_they_count(folder, name: str) -> None:
    klarf = read_klarf(folder / name)
    assert [len(wafer.defects) for wafer in klarf.wafers] == SOUND[name]
    assert [wafer.summary[0].defects for wafer in klarf.wafers] == SOUND[name]
    assert not klarf.warnings


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_say_what_is_wrong(folder, name: str) -> None:
    code, message = WRONG[name]
    with pytest.raises(InputError, match=message) as failure:
        read_klarf(folder / name)
    assert failure.value.code == code
    assert f"{name}:" in failure.value.complaint.where
    lenient = read_klarf(folder / name, mode="lenient")
    assert lenient.wafers
    assert {warning.code for warning in lenient.warnings} == {code}


@pytest.mark.parametrize("name", [*SOUND, *WRONG])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_round_trip(folder, read, written, name: str, newline: str) -> None:
    klarf = read_klarf(folder / name, mode="lenient")
    assert read(written(klarf, newline), mode="lenient") == klarf
    assert written(klarf) == written(read(written(klarf), mode="lenient")), "writing is deterministic"


def test_values_of_a_tool_that_prints_exponents(folder) -> None:
    wafer = read_klarf(folder / "CPS3TwithoutReview.001").wafers[0]
    assert wafer.defects.columns["XREL"][-1] == 1753.12
    assert wafer.defects.columns["DSIZE"][-1] == 11.920651731
    assert wafer.provenance.tool == "HYCPS04"
    assert len(wafer.classes) == 276
    assert wafer.classes[1020] == "Group20"
    assert len(wafer.inspected_dies) == wafer.summary[0].dies == 4988
    density = len(wafer.defects) / (wafer.tests[0].area_um2 * 1e-8)
    assert density == pytest.approx(wafer.summary[0].density_per_cm2, rel=1e-3), "areas are µm², densities per cm²"


def test_missing_values(folder) -> None:
    klarf = read_klarf(folder / "wierdKlarfWithNAs.klarf", mode="lenient")
    columns = klarf.wafers[0].defects.columns
    assert np.isnan(columns["DCIRANGE"]).tolist() == [False, False, True]
    assert np.isnan(columns["DBGROUP"].astype(float)).tolist() == [False, True, False]
