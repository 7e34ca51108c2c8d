"""What `waferwatch read` says of a file."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from pipelines.ingestion import describe
from pipelines.ingestion.formats.klarf import NewLot, NewWafer, Point, new_klarf, write_klarf


@pytest.mark.parametrize(
    ("kind", "format_", "content", "extent"),
    [
        ("klarf", "KLARF", ["2 defects, 3 dies"], "300 mm"),
        ("csv", "CSV", ["20 defects", "20 defects"], "300 mm"),
        ("sinf", "SINF", ["5 × 4 dies, 3 of 13 failed"], "300 mm"),
        ("stdf", "STDF V4", ["5 × 4 dies, 3 of 13 failed"], "300 mm"),
        ("zip", "CSV", ["20 defects", "20 defects", "5 × 4 dies, 3 of 13 failed"], "300 mm"),
        ("jpeg", "JPEG", ["3 bands"], "60 × 40 px"),
        ("bigtiff", "TIFF", ["2 bands"], "60 × 40 px"),
    ],
)
def test_every_kind_is_described(
    kind: str, format_: str, content: list[str], extent: str, samples: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.file"
    path.write_bytes(samples[kind])
    found = list(describe(path))
    assert [one.content for one in found] == content
    assert found[0].format == format_
    assert found[0].extent == extent
    assert len({one.capture.id for one in found}) == len(found)


def test_provenance_and_warnings_are_told(samples: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.001"
    path.write_bytes(samples["klarf"].replace(b"SampleSize 1 300", b"SampleSize 1 266"))
    (one,) = describe(path)
    assert one.capture.provenance.lot == "LOT1"
    assert [warning.code for warning in one.warnings] == ["odd-diameter"]
    assert (one.defects, one.inspected_dies, one.failed_dies, one.dies, one.bands) == (2, 3, None, None, None)


def test_defects_that_are_new_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.001"
    lot = NewLot(
        lot="L", product="P", step="S", inspected_at=datetime(2026, 1, 1), diameter_mm=300, die_pitch_um=Point(9e3, 9e3)
    )
    places = np.array([1.0, 2.0, 3.0])
    wafer = NewWafer(wafer="W", x_um=places, y_um=places, columns={"ADDERFLAG": np.array([1, 0, 1])})
    write_klarf(new_klarf(lot, [wafer]), path)
    (one,) = describe(path)
    assert (one.defects, one.adders) == (3, 2)
    assert one.content.startswith("3 defects (2 new), ")
