"""The truth beside the files is read as it was written."""

from pathlib import Path

import pytest

from models.domain.errors import InputError
from pipelines.simulate import TrueWafer, read_truth
from pipelines.simulate.truth import write_truth

WAFER = TrueWafer("a.klarf", 0, "L1", "L1.01", "Ring", 12)


def test_there_and_back(tmp_path: Path) -> None:
    truth = write_truth(tmp_path, [WAFER, TrueWafer("a.klarf", 1, "L1", "L1.02", "Slice", 5)])
    assert read_truth(tmp_path) == truth
    assert truth.files == (tmp_path / "a.klarf",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no truth beside the files"),
        ("", "not a truth file"),
        ("file,pattern\na,Ring\n", "not a truth file"),
        ("file,ordinal,lot,wafer,pattern,defects\na.klarf,first,L,W,Ring,3\n", "line 2"),
        ("file,ordinal,lot,wafer,pattern,defects\na.klarf,0,L\n", "line 2"),
    ],
)
def test_what_is_not_a_truth_says_so(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "truth.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_truth(tmp_path)
