"""Broken files are broken in the way they claim."""

from pathlib import Path

import pytest

from models.domain.errors import ConfigurationError
from pipelines.simulate import Breakage, broken_file


@pytest.mark.parametrize("kind", list(Breakage))
def test_the_same_seed_breaks_the_same_way_and_nothing_is_overwritten(tmp_path: Path, kind: Breakage) -> None:
    first, again = broken_file(tmp_path / "a.klarf", kind), broken_file(tmp_path / "b.klarf", str(kind))
    assert first.read_bytes() == again.read_bytes()
    with pytest.raises(ConfigurationError, match="will not write over"):
        broken_file(tmp_path / "a.klarf", kind)


def test_each_is_wrong_in_its_own_way(tmp_path: Path) -> None:
    text = {
        kind: broken_file(tmp_path / f"{kind.name}.klarf", kind).read_bytes().decode("latin-1") for kind in Breakage
    }
    assert "EndOfFile" not in text[Breakage.TRUNCATED]
    assert len(text[Breakage.TRUNCATED].rsplit("\n", 1)[1].split()) < 15
    assert "DefectList;" in text[Breakage.WRONG_COUNT]
    assert "SummaryList 1 400 " in text[Breakage.WRONG_COUNT]
    spec = text[Breakage.WRONG_COLUMNS].split("DefectRecordSpec ")[1].split(";")[0].split()
    assert int(spec[0]) == len(spec)  # the count itself is one of these words
    assert not text[Breakage.GARBAGE].isascii()


def test_unknown_breakage(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"truncated .* got bent"):
        broken_file(tmp_path / "x", "bent")
    assert not (tmp_path / "x").exists()
