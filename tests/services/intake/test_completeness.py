"""Truncation of real formats is seen; other faults are somebody else's."""

from pathlib import Path

import pytest

from models.domain.errors import InputError, RetryableError
from services.intake.completeness import check_complete


@pytest.fixture
def klarf(real_data: Path) -> bytes:
    return (real_data / "klarf" / "klarf12Example.klarf").read_bytes()


def test_a_klarf_file_cut_short_is_incomplete(klarf: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lot7.001"
    path.write_bytes(klarf)
    check_complete(path)
    path.write_bytes(klarf[: len(klarf) * 2 // 3])
    with pytest.raises(RetryableError) as caught:
        check_complete(path)
    assert caught.value.code == "truncated"


def test_nonsense_is_wrong_not_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "nonsense"
    path.write_text("nonsense")
    with pytest.raises(InputError):
        check_complete(path)
