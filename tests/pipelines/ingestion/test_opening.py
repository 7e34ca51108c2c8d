"""Opening: the bytes decide, each capture has its own id, and whatever is wrong is said in our own errors."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.capture import CaptureKind, capture_id
from models.domain.errors import InputError, RetryableError, UnsafeInputError
from models.domain.tiling import Tiling
from pipelines.ingestion import DieReader, Limits, PointReader, ReadOptions, cut, open_captures
from pipelines.ingestion.formats.points import PointColumns
from pipelines.ingestion.sources import local_file

POINTS = "x_um,y_um,lot,wafer,diameter_um\n" + "".join(f"{i * 1000},{-i},L1,{i // 3},200000\n" for i in range(6))


@pytest.fixture
def points_csv(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    return path


def test_one_reader_per_wafer_with_its_own_id(points_csv: Path) -> None:
    readers = list(open_captures(points_csv))
    digest = local_file(points_csv, Limits()).sha256
    assert [reader.capture.id for reader in readers] == [capture_id(digest, 0, 2), capture_id(digest, 1, 2)]
    assert [reader.capture.name for reader in readers] == ["points.csv L1 0", "points.csv L1 1"]
    for reader in readers:
        assert isinstance(reader, PointReader)
        assert reader.capture.kind is CaptureKind.WAFER
        assert reader.capture.height == reader.points.diameter_um == 200_000
        assert len(reader.points) == 3


def test_a_file_with_one_capture_lends_it_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((40, 70, 3), 9, np.uint8)).save(path)
    (reader,) = open_captures(path)
    assert reader.capture.id == local_file(path, Limits()).sha256
    assert (reader.capture.height, reader.capture.width) == (40, 70)
    (patch,) = cut(reader, Tiling(tile=70, levels=(-1,)))
    assert patch.inspected == pytest.approx(40 / 70)


def test_compressed_and_plain_are_the_same_wafers(points_csv: Path, tmp_path: Path) -> None:
    packed = tmp_path / "points.csv.gz"
    packed.write_bytes(gzip.compress(points_csv.read_bytes()))
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        target.write(points_csv, "lot/points.csv")
        target.writestr("lot/maps.npz", _npz(arr_0=np.ones((2, 4, 5), np.uint8)))
    plain = [reader.capture for reader in open_captures(points_csv)]
    assert [reader.capture for reader in open_captures(packed)] == plain
    readers = list(open_captures(archive))
    assert [reader.capture for reader in readers[:2]] == plain
    assert [type(reader) for reader in readers] == [PointReader, PointReader, DieReader, DieReader]


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    path = tmp_path / "mm.csv"
    path.write_text("X;Y;Scheibe\n1.5;-2;w1\n")
    with pytest.raises(InputError, match="say which columns"):
        list(open_captures(path))
    columns = PointColumns(x="X", y="Y", unit_um=1000, wafer="Scheibe", diameter_um=150_000)
    (reader,) = open_captures(path, options=ReadOptions(points=columns))
    assert isinstance(reader, PointReader)
    assert (reader.points.x_um[0], reader.points.y_um[0]) == (1500, -2000)
    assert reader.capture.provenance.wafer == "w1"
    assert [warning.code for warning in reader.warnings] == ["assumed-diameter"]


def test_archives_inside_of_archives_are_refused(points_csv: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.gz"
    outer.write_bytes(gzip.compress(gzip.compress(points_csv.read_bytes())))
    with pytest.raises(UnsafeInputError) as caught:
        list(open_captures(outer))
    assert caught.value.code == "nested-archive"


def test_what_is_not_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear all, nothing happened.")
    with pytest.raises(InputError, match="unknown format") as caught:
        list(open_captures(path))
    assert caught.value.code == "unknown-format"
    assert str(path) in str(caught.value)


def test_a_file_only_begun_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "empty.001"
    path.touch()
    with pytest.raises(RetryableError):
        list(open_captures(path))


def test_too_big_a_file_is_refused(points_csv: Path) -> None:
    with pytest.raises(UnsafeInputError, match="too big"):
        list(open_captures(points_csv, limits=Limits(file_bytes=10)))


def _npz(**arrays: np.ndarray) -> bytes:
    import io

    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()
