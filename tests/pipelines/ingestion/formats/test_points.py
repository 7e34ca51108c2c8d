"""Points from tables."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion import Limits, PointColumns, PointReader, open_captures
from pipelines.ingestion.formats.points import found_points


def read(folder: Path, content: bytes | str, limits: Limits | None = None) -> list[PointReader]:
    path = folder / "points.dat"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    readers = list(open_captures(path, limits=limits))
    assert all(isinstance(reader, PointReader) for reader in readers)
    return readers  # type: ignore[return-value]


def test_wafers_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    first, second = read(tmp_path, "x_um,y_um,wafer\n1,2,b\n3,4,a\n5,6,b\n")
    assert (first.capture.provenance.wafer, second.capture.provenance.wafer) == ("b", "a")
    assert first.points.x_um.tolist() == [1, 5]
    assert second.points.y_um.tolist() == [4]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_dialects_of_csv(separator: str, newline: str, mark: str, tmp_path: Path) -> None:
    rows = (["y_um", "x_um", "note"], ["1.5", "-2", "ok"], ["3e3", "0", ""])
    (reader,) = read(tmp_path, mark + "".join(separator.join(row) + newline for row in rows))
    assert reader.points.y_um.tolist() == [1.5, 3000]
    assert reader.points.x_um.tolist() == [-2, 0]


def test_parquet_and_npz(samples: dict[str, bytes], tmp_path: Path) -> None:
    assert [r.capture.provenance.lot for r in read(tmp_path, samples["parquet-points"])] == ["a", "b"]
    assert [len(r.points) for r in read(tmp_path, samples["npz-points"])] == [2, 3]


def test_a_table_of_no_points_is_a_clean_wafer(tmp_path: Path) -> None:
    (reader,) = read(tmp_path, "x_um,y_um\n")
    assert len(reader.points) == 0


@pytest.mark.parametrize("row", ["a,2", "1", ",", "1,inf", "nan,1", "1,2,3"])
def test_rows_that_are_no_points_are_refused(row: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(tmp_path, f"x_um,y_um\n1,2\n{row}\n1,2\n")


def test_a_table_cut_within_its_last_line_is_tried_again(tmp_path: Path) -> None:
    for end in ("17", "17,", "17,-"):
        with pytest.raises(RetryableError):
            read(tmp_path, f"x_um,y_um\n1,2\n{end}")


def test_places_outside_of_the_wafer_are_kept_and_said(tmp_path: Path) -> None:
    (reader,) = read(tmp_path, "x_um,y_um,diameter_um\n1,2,200000\n150000,0,200000\n")
    assert [warning.code for warning in reader.warnings] == ["outside-wafer"]
    assert len(reader.points) == 2


@pytest.mark.parametrize("diameter", ["0", "-5", "x", ""])
def test_diameters_are_positive(diameter: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(tmp_path, f"x_um,y_um,diameter_um\n1,2,{diameter}\n")


def test_one_wafer_has_one_diameter(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one diameter"):
        read(tmp_path, "x_um,y_um,diameter_um\n1,2,200000\n1,2,300000\n")


def test_limits(tmp_path: Path) -> None:
    text = "x_um,y_um,wafer\n" + "".join(f"1,2,{i}\n" for i in range(10))
    for limits in (Limits(defects=9), Limits(members=9), Limits(columns=2), Limits(text_bytes=20)):
        with pytest.raises(UnsafeInputError):
            read(tmp_path, text, limits)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="different lengths"):
        found_points({"x_um": np.zeros(2), "y_um": np.zeros(3)}, PointColumns(), "here", Limits())
