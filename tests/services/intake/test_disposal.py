"""What happens to a source file afterwards."""

import os
from pathlib import Path

import pytest

from services.intake.disposal import Disposal
from services.intake.spool import Signature
from services.settings import Afterwards


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "watch" / "lot7.001"
    path.parent.mkdir()
    path.write_text("wafer")
    return path


def test_keep_is_the_default(source: Path) -> None:
    Disposal().dispose(source, Signature.of(source.stat()), source.parent)
    assert source.exists()


@pytest.mark.parametrize("afterwards", [Afterwards.MOVE, Afterwards.DELETE])
def test_a_file_that_changed_since_it_was_taken_stays(source: Path, tmp_path: Path, afterwards: Afterwards) -> None:
    taken = Signature.of(source.stat())
    source.write_text("another wafer")
    Disposal(afterwards, tmp_path / "done").dispose(source, taken, source.parent)
    assert source.read_text() == "another wafer"


def test_two_files_of_one_name_are_both_kept(source: Path, tmp_path: Path) -> None:
    disposal = Disposal(Afterwards.MOVE, tmp_path / "done")
    disposal.dispose(source, Signature.of(source.stat()), source.parent)
    source.write_text("second")
    os.utime(source, ns=(1, 1))
    disposal.dispose(source, Signature.of(source.stat()), source.parent)
    assert sorted(path.read_text() for path in (tmp_path / "done").iterdir()) == ["second", "wafer"]


def test_a_file_that_is_gone_is_fine(source: Path) -> None:
    taken = Signature.of(source.stat())
    source.unlink()
    Disposal(Afterwards.DELETE).dispose(source, taken, source.parent)
