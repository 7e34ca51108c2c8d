"""One frame for all wafers: where a defect is drawn follows from the file, or from what is known of the tool."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import Tiling
from pipelines.ingestion import PointReader, ReadOptions, ToolFrame, cut, open_captures


@pytest.fixture
def klarf(samples: dict[str, bytes]) -> str:
    """Two defects: 1000.5, 2000.25 in die (0, 0) and 9000, 19000 in die (1, 0); pitch 10 x 20 mm, centre 5, 10 mm."""
    return samples["klarf"].decode()


def read(folder: Path, text: str, tool: ToolFrame | None = None) -> PointReader:
    path = folder / "wafer.001"
    path.write_text(text)
    options = ReadOptions(tools={"EYE01": tool} if tool else {}, lenient=True)
    (reader,) = open_captures(path, options=options)
    assert isinstance(reader, PointReader)
    return reader


def places(reader: PointReader) -> list[tuple[float, float]]:
    return list(zip(reader.points.x_um.tolist(), reader.points.y_um.tolist(), strict=True))


def codes(reader: PointReader) -> set[str]:
    return {warning.code for warning in reader.warnings}


PLAIN = [(1000.5 - 5000, 2000.25 - 10_000), (10_000 + 9000 - 5000, 19_000 - 10_000)]


def test_places_count_from_the_centre(klarf: str, tmp_path: Path) -> None:
    reader = read(tmp_path, klarf)
    assert places(reader) == PLAIN
    assert codes(reader) == set()
    about = reader.capture.provenance
    assert (about.lot, about.wafer, about.slot, about.product, about.step, about.tool) == (
        "LOT1",
        "W01",
        1,
        "CHIP",
        "ETCH",
        "EYE01",
    )
    assert reader.points.columns["CLASSNUMBER"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("mark", "turned"),
    [
        ("DOWN", lambda x, y: (x, y)),
        ("LEFT", lambda x, y: (-y, x)),
        ("UP", lambda x, y: (-x, -y)),
        ("RIGHT", lambda x, y: (y, -x)),
    ],
)
def test_the_notch_comes_down(mark: str, turned: object, klarf: str, tmp_path: Path) -> None:
    reader = read(tmp_path, klarf.replace("MarkLocation DOWN", f"MarkLocation {mark}"))
    assert places(reader) == [turned(x, y) for x, y in PLAIN]  # type: ignore[operator]
    # The notch itself, 149 mm from the centre in the direction of the mark, comes to lie at the bottom.
    notch = {"DOWN": (0, -149_000), "LEFT": (-149_000, 0), "UP": (0, 149_000), "RIGHT": (149_000, 0)}[mark]
    assert turned(*notch) == (0, -149_000)  # type: ignore[operator]


@pytest.mark.parametrize("mark", ["DOWN", "LEFT", "UP", "RIGHT"])
@pytest.mark.parametrize("mirrored", ["NO", "YES"])
def test_defects_stay_on_their_dies(mark: str, mirrored: str, klarf: str, tmp_path: Path) -> None:
    text = klarf.replace("MarkLocation DOWN", f"MarkLocation {mark}")
    reader = read(tmp_path, text.replace("WaferID", f"CoordinatesMirrored {mirrored};\nWaferID"))
    grid = reader.points.inspected
    assert grid is not None
    assert len(grid) == 3
    assert grid.pitch_um == ((10_000, 20_000) if mark in ("DOWN", "UP") else (20_000, 10_000))
    for x, y in places(reader):
        inside = (grid.x_um <= x) & (x <= grid.x_um + grid.pitch_um[0])
        inside &= (grid.y_um <= y) & (y <= grid.y_um + grid.pitch_um[1])
        assert np.count_nonzero(inside) == 1


def test_mirrored_and_centred_coordinates(klarf: str, tmp_path: Path) -> None:
    mirrored = read(tmp_path, klarf.replace("WaferID", "CoordinatesMirrored YES;\nWaferID"))
    assert places(mirrored) == [(-x, y) for x, y in PLAIN]
    centred = read(tmp_path, klarf.replace("WaferID", "CoordinatesCentered YES;\nWaferID"))
    assert places(centred) == [(x + 5000, y + 10_000) for x, y in PLAIN]


def test_what_is_known_of_a_tool_overrules_its_files(klarf: str, tmp_path: Path) -> None:
    text = klarf.replace("WaferID", "CoordinatesMirrored YES;\nWaferID")
    assert places(read(tmp_path, text, ToolFrame(mirrored=False))) == PLAIN
    assert places(read(tmp_path, klarf, ToolFrame(quarter_turns=2))) == [(-x, -y) for x, y in PLAIN]
    with pytest.raises(ConfigurationError):
        ToolFrame(quarter_turns=4)


def test_the_origin_of_a_die_moves_its_defects(klarf: str, tmp_path: Path) -> None:
    moved = read(tmp_path, klarf.replace("DieOrigin 0 0", "DieOrigin 100 -50"))
    assert places(moved) == [(x + 100, y - 50) for x, y in PLAIN]
    before, after = read(tmp_path, klarf).points.inspected, moved.points.inspected
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before.x_um, after.x_um)


def test_what_was_not_inspected_is_not_clean(klarf: str, tmp_path: Path) -> None:
    (patch,) = cut(read(tmp_path, klarf), Tiling())
    assert patch.inspected == pytest.approx(3 * 10 * 20 / 300**2, rel=1e-5)
    nothing = read(tmp_path, klarf.replace("SampleTestPlan 3\n 0 0\n 1 0\n -1 2", "SampleTestPlan 0"))
    (patch,) = cut(nothing, Tiling())
    assert patch.inspected == 0
    assert "nothing-inspected" in codes(nothing)
    silent = read(tmp_path, klarf.replace("SampleTestPlan 3\n 0 0\n 1 0\n -1 2;", ""))
    (patch,) = cut(silent, Tiling())
    assert patch.inspected == pytest.approx(np.pi / 4, abs=0.003)


@pytest.mark.parametrize(
    ("sound", "odd", "code"),
    [
        (" 9000 19000 1 0", " 9000 19000 20 0", "outside-wafer"),
        (" 9000 19000 1 0", " 19000 19000 1 0", "outside-die"),
        (" 9000 19000 1 0", " 9000 19000 1 1", "die-not-inspected"),
        (" 9000 19000 1 0", " NA 19000 1 0", "defect-without-place"),
        ("SampleCenterLocation 5000 10000", "SampleCenterLocation 5000000 10000", "die-outside-wafer"),
        ("SampleSize 1 300", "SampleSize 1 266", "odd-diameter"),
        ("SampleSize 1 300;", "", "no-diameter"),
        ("SampleCenterLocation 5000 10000;", "", "no-centre"),
        ("DiePitch 10000 20000;", "", "no-die-pitch"),
    ],
)
def test_what_cannot_be_right_is_kept_and_said(sound: str, odd: str, code: str, klarf: str, tmp_path: Path) -> None:
    assert sound in klarf
    reader = read(tmp_path, klarf.replace(sound, odd))
    assert code in codes(reader)
    assert len(reader.points) == (1 if code == "defect-without-place" else 2)
    assert len(reader.points.columns["DEFECTID"]) == len(reader.points)


def test_an_odd_diameter_becomes_the_nearest_that_exists(klarf: str, tmp_path: Path) -> None:
    assert read(tmp_path, klarf.replace("SampleSize 1 300", "SampleSize 1 266")).points.diameter_um == 300_000
    assert read(tmp_path, klarf.replace("SampleSize 1 300", "SampleSize 1 199.5")).points.diameter_um == 199_500


def test_defects_without_coordinates_are_refused(klarf: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without coordinates"):
        read(tmp_path, klarf.replace("XREL", "XWHAT"))


def test_units_a_thousand_times_off_are_noticed(tmp_path: Path, klarf: str) -> None:
    rows = "\n".join(f" {i} {i} 0.5 0 0 1 1" for i in range(1, 30))
    begin, end = klarf.index(" 1 1000.5"), klarf.index(";\nSummarySpec")
    text = (
        (klarf[:begin] + rows + klarf[end:])
        .replace("Location 5000 10000", "Location 0 0")
        .replace("1 2 0.3", "1 29 0.3")
    )
    assert "suspicious-unit" in codes(read(tmp_path, text))


def test_real_wafers_fit_their_frame(real_data: Path) -> None:
    counts = {
        "CPS3TwithoutReview.001": [16],
        "LARGE_KLARF.000": [22_190],
        "QUU_NUU.000": [56, 36, 95],
        "simple12.klarf": [1],
    }
    for name, expected in counts.items():
        readers = list(open_captures(real_data / "klarf" / name))
        assert [len(reader.points) for reader in readers if isinstance(reader, PointReader)] == expected
        for reader in readers:
            assert isinstance(reader, PointReader)
            assert np.hypot(reader.points.x_um, reader.points.y_um).max() <= reader.points.diameter_um / 2
            assert reader.warnings == ()
