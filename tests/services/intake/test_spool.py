"""The spool: whole or not at all, regular files only, nothing left behind."""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from models.domain.errors import ConfigurationError, InputError, RetryableError, UnsafeInputError
from services.intake.spool import Spool
from tests.services.making import sha


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", limit_bytes=100)


class Interrupting(io.BytesIO):
    """A stream during whose reading something happens."""

    def __init__(self, content: bytes, happening: Callable[[], None]) -> None:
        super().__init__(content)
        self._happening = happening

    def read(self, size: int | None = -1, /) -> bytes:
        self._happening()
        return super().read(size)


def test_bytes_lie_under_their_hash_for_their_owner_only(spool: Spool, tmp_path: Path) -> None:
    source = tmp_path / "lot7.001"
    source.write_text("wafer")
    spooled = spool.copy(source)
    kept = spool.path(spooled.sha256)
    assert (spooled.sha256, spooled.size, kept.read_text()) == (sha("wafer"), 5, "wafer")
    assert kept.stat().st_mode & 0o077 == 0
    assert source.read_text() == "wafer"
    assert [entry.name for entry in spool.folder.iterdir()] == [sha("wafer")]


def test_the_same_bytes_twice_are_kept_once(spool: Spool) -> None:
    assert spool.store(io.BytesIO(b"wafer"), "a") == spool.store(io.BytesIO(b"wafer"), "b")
    assert len(list(spool.folder.iterdir())) == 1


def test_a_file_written_to_while_it_is_read_is_not_taken(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "growing"
    source.write_text("half")
    real = Spool.store

    def store(self: Spool, stream: io.BytesIO, name: str) -> object:
        spooled = real(self, stream, name)
        with source.open("a") as more:
            more.write(" and half")
        return spooled

    monkeypatch.setattr(Spool, "store", store)
    with pytest.raises(RetryableError, match="changed while it was read"):
        spool.copy(source)


def test_a_file_replaced_while_it_is_read_is_not_taken(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "replaced"
    source.write_text("old")
    real = Spool.store

    def store(self: Spool, stream: io.BytesIO, name: str) -> object:
        spooled = real(self, stream, name)
        other = tmp_path / "other"
        other.write_text("new")
        other.rename(source)
        return spooled

    monkeypatch.setattr(Spool, "store", store)
    with pytest.raises(RetryableError, match="changed while it was read"):
        spool.copy(source)


@pytest.mark.parametrize("size", [101, 5000])
def test_too_big_is_refused_and_leaves_nothing(spool: Spool, tmp_path: Path, size: int) -> None:
    source = tmp_path / "big"
    source.write_bytes(b"x" * size)
    with pytest.raises(UnsafeInputError, match="too big"):
        spool.copy(source)
    with pytest.raises(UnsafeInputError, match="too big"):
        spool.store(io.BytesIO(source.read_bytes()), "upload of unknown length")
    assert not spool.folder.exists() or list(spool.folder.iterdir()) == []


def test_links_folders_pipes_and_missing_files(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(InputError) as caught:
            spool.copy(tmp_path / name)
        assert caught.value.code == "not-a-file"
    with pytest.raises(FileNotFoundError):
        spool.copy(tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(spool: Spool, tmp_path: Path) -> None:
    source = tmp_path / "closed"
    source.write_text("x")
    source.chmod(0)
    with pytest.raises(ConfigurationError, match="may not be read"):
        spool.copy(source)


def test_a_broken_stream_leaves_nothing(spool: Spool) -> None:
    def fail() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        spool.store(Interrupting(b"wafer", fail), "upload")
    assert list(spool.folder.iterdir()) == []


def test_a_full_disk_is_named_and_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    spool.folder.mkdir()
    with pytest.raises(RetryableError, match="out of disk"):
        spool.store(io.BytesIO(b"wafer"), "upload")
    assert list(spool.folder.iterdir()) == []


def test_sweeping_spares_what_is_being_written(spool: Spool) -> None:
    assert spool.sweep() == 0
    spool.store(io.BytesIO(b"wafer"), "a")
    fresh, old = spool.folder / "tmp.fresh", spool.folder / "tmp.old"
    for path in (fresh, old):
        path.write_text("x")
    os.utime(old, (0, 0))
    assert spool.sweep() == 1
    assert sorted(entry.name for entry in spool.folder.iterdir()) == sorted([sha("wafer"), "tmp.fresh"])


@pytest.mark.parametrize("text", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_hashes_are_paths(spool: Spool, text: str) -> None:
    with pytest.raises(InputError, match="not a SHA-256"):
        spool.path(text)
