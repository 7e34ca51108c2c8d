"""Simulated files go through the reader of production and come back as the wafers they were."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError
from pipelines.ingestion import PointReader, open_captures
from pipelines.simulate import PATTERNS, UNKNOWN_PATTERNS, Breakage, broken_file, sample, simulate
from pipelines.simulate.lots import simulated_lot

SEED = 11
DEFECTS = (10, 800)


@pytest.mark.parametrize("version", ["1.2", "1.8"])
@pytest.mark.parametrize("file_per_lot", [False, True])
def test_wafers_come_back_whole(tmp_path: Path, version: Literal["1.2", "1.8"], file_per_lot: bool) -> None:
    patterns = PATTERNS + UNKNOWN_PATTERNS
    truth = simulate(
        tmp_path, 1, patterns=patterns, seed=SEED, defects=DEFECTS, version=version, file_per_lot=file_per_lot
    )
    read = [(path.name, reader) for path in truth.files for reader in open_captures(path)]
    assert len(read) == len(patterns)
    for index, ((name, reader), wafer) in enumerate(zip(read, truth.wafers, strict=True)):
        lot = simulated_lot(SEED, index // 10)
        child = np.random.SeedSequence(SEED, spawn_key=(1, index))
        made = sample(wafer.pattern, child, defects=DEFECTS, of_product=lot.product)
        assert isinstance(reader, PointReader)
        assert not reader.warnings
        said = reader.capture.provenance
        assert (name, said.lot, said.wafer) == (wafer.file, wafer.lot, wafer.wafer)
        assert (said.product, said.step, said.tool) == (lot.product.code, lot.step, lot.tool)
        assert reader.points.diameter_um == made.points.diameter_um
        assert len(reader.points) == wafer.defects
        order = [np.lexsort((p.y_um.round(1), p.x_um.round(1))) for p in (reader.points, made.points)]
        np.testing.assert_allclose(reader.points.x_um[order[0]], made.points.x_um[order[1]], atol=0.02)
        assert np.sort(reader.points.y_um) == pytest.approx(np.sort(made.points.y_um), abs=0.02)
        assert reader.points.inspected is not None
        corners = {(round(x), round(y)) for x, y in zip(*made.layout.corners_um(), strict=True)}
        dies = zip(reader.points.inspected.x_um, reader.points.inspected.y_um, strict=True)
        assert {(round(x), round(y)) for x, y in dies} == corners


def test_a_truncated_file_may_still_grow(tmp_path: Path) -> None:
    with pytest.raises(RetryableError):
        list(open_captures(broken_file(tmp_path / "t.klarf", Breakage.TRUNCATED)))


@pytest.mark.parametrize("kind", [Breakage.WRONG_COLUMNS, Breakage.WRONG_COUNT, Breakage.GARBAGE])
def test_other_broken_files_are_refused_for_good(tmp_path: Path, kind: Breakage) -> None:
    with pytest.raises(InputError):
        list(open_captures(broken_file(tmp_path / "b.klarf", kind)))
