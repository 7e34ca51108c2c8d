"""Simulated files, read with a few lines of this test's own so that reader and writer cannot err alike."""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from models.domain.errors import ConfigurationError
from pipelines.simulate import NORMAL, PATTERNS, UNKNOWN_PATTERNS, Truth, read_truth, simulate
from pipelines.simulate.defect_columns import CLASSES, draw_columns


class Flat:
    """Statements of a 1.2 file by keyword, each a list of its occurrences' words."""

    def __init__(self, path: Path) -> None:
        self.said: dict[str, list[list[str]]] = {}
        for statement in path.read_text("ascii").split(";"):
            if words := re.findall(r'"[^"]*"|\S+', statement):
                self.said.setdefault(words[0], []).append([word.strip('"') for word in words[1:]])

    def numbers(self, keyword: str, occurrence: int = 0) -> np.ndarray:
        return np.array(self.said[keyword][occurrence], dtype=float)

    def rows(self, wafer: int = 0) -> dict[str, np.ndarray]:
        names = self.said["DefectRecordSpec"][wafer][1:]
        assert int(self.said["DefectRecordSpec"][wafer][0]) == len(names)
        table = self.numbers("DefectList", wafer).reshape(-1, len(names))
        return dict(zip(names, table.T, strict=True))


def make(out: Path, **settings: object) -> Truth:
    return simulate(out, **{"wafers": 1, "defects": (10, 600), "seed": 4, **settings})  # type: ignore[arg-type]


def test_counts_dies_and_places_of_every_file_are_right(tmp_path: Path) -> None:
    truth = make(tmp_path, patterns=PATTERNS + UNKNOWN_PATTERNS)
    assert len(truth.wafers) == len(truth.files) == 18
    for wafer in truth.wafers:
        flat = Flat(tmp_path / wafer.file)
        rows = flat.rows()
        plan = flat.numbers("SampleTestPlan")[1:].reshape(-1, 2)
        assert flat.numbers("SampleTestPlan")[0] == len(plan)
        assert {tuple(die) for die in zip(rows["XINDEX"], rows["YINDEX"], strict=True)} <= {tuple(die) for die in plan}
        summary = dict(zip(flat.said["SummarySpec"][0][1:], flat.numbers("SummaryList"), strict=True))
        dies_hit = len(np.unique(np.stack((rows["XINDEX"], rows["YINDEX"])), axis=1).T)
        assert len(rows["DEFECTID"]) == wafer.defects == summary["NDEFECT"]
        assert (summary["NDIE"], summary["NDEFDIE"]) == (len(plan), dies_hit)
        area_cm2 = flat.numbers("AreaPerTest")[0] / 1e8
        assert summary["DEFDENSITY"] == pytest.approx(wafer.defects / area_cm2, rel=1e-6)
        pitch, centre = flat.numbers("DiePitch"), flat.numbers("SampleCenterLocation")
        x = rows["XINDEX"] * pitch[0] + rows["XREL"] - centre[0]
        y = rows["YINDEX"] * pitch[1] + rows["YREL"] - centre[1]
        assert np.hypot(x, y).max() < flat.numbers("SampleSize")[1] * 500
        assert flat.said["LotID"] == [[wafer.lot]]
        assert flat.said["WaferID"] == [[wafer.wafer]]
        assert flat.said["EndOfFile"] == [[]]


def test_columns_are_plausible(tmp_path: Path) -> None:
    truth = make(tmp_path, wafers=6, patterns=["GeoScratch", "Normal"], defects=(300, 600))
    for wafer in truth.wafers:
        rows = Flat(tmp_path / wafer.file).rows()
        assert (rows["DSIZE"] == np.maximum(rows["XSIZE"], rows["YSIZE"])).all()
        assert (rows["DEFECTAREA"] <= rows["XSIZE"] * rows["YSIZE"]).all()
        assert rows["DEFECTAREA"].min() > 0
        assert set(rows["CLASSNUMBER"]) <= set(CLASSES)
        assert (rows["TEST"] == 1).all()
        assert (rows["IMAGECOUNT"] == 0).all()
        assert (np.diff(rows["YINDEX"]) >= 0).all()  # die by die
        assert (rows["DEFECTID"] == np.arange(1, wafer.defects + 1)).all()


def test_defects_of_scratches_are_longer_and_called_so() -> None:
    in_pattern = np.arange(4_000) % 2 == 0
    scratch, ring = (
        [draw_columns(np.random.default_rng(seed), pattern, in_pattern) for seed in range(20)]
        for pattern in ("GeoScratch", "Ring")
    )
    assert np.median(scratch[0].size_um[in_pattern]) > 2 * np.median(scratch[0].size_um[~in_pattern])
    assert np.median(ring[0].size_um[in_pattern]) < 1.2 * np.median(ring[0].size_um[~in_pattern])
    assert any((made.class_number[in_pattern] == 2).any() for made in scratch)
    assert any((made.class_number == 0).all() for made in scratch)  # nobody reviewed it
    assert not any((made.class_number == 2).any() for made in ring)


def test_wafer_i_does_not_depend_on_how_many_are_made(tmp_path: Path) -> None:
    short, long = make(tmp_path / "short", wafers=1), make(tmp_path / "long", wafers=2)
    assert long.wafers[: len(short.wafers)] == short.wafers
    for few, many in zip(short.files, long.files, strict=False):
        assert few.read_bytes() == many.read_bytes()
    other = make(tmp_path / "other", seed=5)
    assert not {w.lot for w in other.wafers} & {w.lot for w in short.wafers}


def test_lots_share_product_step_and_tool_and_hold_several_patterns(tmp_path: Path) -> None:
    truth = make(tmp_path, wafers=4, wafers_per_lot=7, defects=(10, 30))
    heads: dict[str, set[tuple[str, ...]]] = {}
    for wafer in truth.wafers:
        said = Flat(tmp_path / wafer.file).said
        keys = ("DeviceID", "StepID", "InspectionStationID", "DiePitch", "SampleSize")
        heads.setdefault(wafer.lot, set()).add(tuple(" ".join(said[key][0]) for key in keys))
    assert all(len(seen) == 1 for seen in heads.values())
    assert len(heads) == 8  # 52 wafers in sevens
    assert len({next(iter(seen)) for seen in heads.values()}) > 4
    for pattern in PATTERNS:
        assert len({w.lot for w in truth.wafers if w.pattern == pattern}) == 4


def test_one_file_for_a_lot(tmp_path: Path) -> None:
    truth = make(tmp_path, file_per_lot=True, wafers_per_lot=5)
    assert len(truth.files) == 3  # 13 wafers in fives
    assert [w.ordinal for w in truth.wafers] == [0, 1, 2, 3, 4] * 2 + [0, 1, 2]
    for path in truth.files:
        flat = Flat(path)
        wafers = [w for w in truth.wafers if w.file == path.name]
        assert [words[0] for words in flat.said["WaferID"]] == [w.wafer for w in wafers]
        for ordinal, wafer in enumerate(wafers):
            assert len(flat.rows(ordinal)["XREL"]) == wafer.defects


def test_nested_dialect_holds_the_same_wafers_in_nanometres(tmp_path: Path) -> None:
    flat_truth, nested_truth = make(tmp_path / "flat"), make(tmp_path / "nested", version="1.8")
    assert flat_truth.wafers == nested_truth.wafers
    for flat_path, nested_path in zip(flat_truth.files, nested_truth.files, strict=True):
        text = nested_path.read_text("ascii")
        assert text.startswith('Record FileRecord "1.8"')
        assert text.rstrip().endswith("EndOfFile;")
        columns, data = re.search(r"List DefectList\s*{\s*Columns \d+ {([^}]*)}\s*Data \d+\s*{([^}]*)}", text).groups()  # type: ignore[union-attr]
        names = [column.split()[1] for column in columns.split(",")]
        types = {column.split()[1]: column.split()[0] for column in columns.split(",")}
        rows = np.array(data.replace(";", " ").split(), dtype=float).reshape(-1, len(names))
        nested, flat = dict(zip(names, rows.T, strict=True)), Flat(flat_path).rows()
        assert types["XINDEX"] == types["XREL"] == types["XSIZE"] == "int32"
        for name in ("XREL", "YREL", "XSIZE", "YSIZE", "DSIZE"):
            np.testing.assert_allclose(nested[name], flat[name] * 1_000, atol=1.0)
        np.testing.assert_allclose(nested["DEFECTAREA"], flat["DEFECTAREA"] * 1e6, rtol=1e-6)
        np.testing.assert_array_equal(nested["XINDEX"], flat["XINDEX"])


def test_truth_is_read_back_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    truth = make(tmp_path, on_wafer=lambda done, total: told.append((done, total)))
    assert read_truth(tmp_path) == truth
    assert told == [(n, 13) for n in range(1, 14)]
    assert (tmp_path / "truth.csv").read_text().splitlines()[0] == "file,ordinal,lot,wafer,pattern,defects"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(p.name for p in truth.files), "truth.csv"])


@pytest.mark.parametrize(
    "wrong",
    [{"version": "2.0"}, {"wafers": 0}, {"wafers_per_lot": 26}, {"patterns": ["Square"]}, {"defects": (100, 10)}],
)
def test_wrong_settings_are_refused_before_anything_is_written(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        make(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("version", ["1.2", "1.8"])
def test_a_wafer_without_defects_is_a_valid_file(tmp_path: Path, version: Literal["1.2", "1.8"]) -> None:
    from pipelines.ingestion.formats.klarf import write_klarf
    from pipelines.simulate import sample
    from pipelines.simulate.lots import simulated_lot
    from pipelines.simulate.writing import as_klarf

    lot = simulated_lot(0, 0)
    clean = sample(NORMAL, 0, defects=0, of_product=lot.product)
    write_klarf(as_klarf(lot, [(1, clean)], version=version), tmp_path / "clean.klarf")
    assert (tmp_path / "clean.klarf").read_text().rstrip().endswith("EndOfFile;")


def test_an_interrupted_simulation_is_made_again(tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, on_wafer=stop)
    assert len(list(tmp_path.iterdir())) == 3
    truth = make(tmp_path)
    undisturbed = make(tmp_path.parent / f"{tmp_path.name}-undisturbed")
    assert [p.read_bytes() for p in truth.files] == [p.read_bytes() for p in undisturbed.files]


def test_a_simulation_is_never_mixed_with_another(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(ConfigurationError, match="holds a simulation already"):
        make(tmp_path)
