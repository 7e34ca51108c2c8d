"""Archives: everything inside, nothing beyond the limits."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion import Limits, open_captures
from pipelines.ingestion.archives import gzip_content, zip_members
from pipelines.ingestion.sources import local_file

SMALL = Limits(free_bytes=100_000)


def save(folder: Path, content: bytes, name: str = "a.bin") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def archive(members: dict[str, bytes], **options: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return target.getvalue()


def test_gzip_streams_that_follow_each_other_and_padding(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(b"one ") + gzip.compress(b"two") + bytes(512), "a.txt.gz")
    inside = gzip_content(local_file(path, SMALL), SMALL)
    assert inside.path.read_bytes() == b"one two"
    assert inside.short_name == "a.txt"


def test_the_temporary_copy_goes_when_nobody_needs_it(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(b"content"))
    inside = gzip_content(local_file(path, SMALL), SMALL)
    place = inside.path
    assert place.exists()
    del inside
    assert not place.exists()


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(bytes(5_000_000)))
    with pytest.raises(UnsafeInputError) as caught:
        gzip_content(local_file(path, SMALL), SMALL)
    assert caught.value.code == "decompression-bomb"


def test_what_compresses_well_and_is_small_is_no_bomb(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(bytes(99_000)))
    assert gzip_content(local_file(path, SMALL), SMALL).size == 99_000


@pytest.mark.parametrize("cut", [3, 12, -9, -1])
def test_gzip_that_ends_early_is_tried_again(cut: int, tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(b"some content of a file")[:cut])
    with pytest.raises(RetryableError):
        gzip_content(local_file(path, SMALL), SMALL)


def test_broken_gzip_is_refused(tmp_path: Path) -> None:
    raw = bytearray(gzip.compress(np.random.default_rng(0).bytes(1000)))
    raw[200] ^= 0xFF
    for content in (bytes(raw), gzip.compress(b"x") + b"trailing garbage"):
        with pytest.raises(InputError) as caught:
            gzip_content(local_file(save(tmp_path, content), SMALL), SMALL)
        assert caught.value.code == "broken-archive"


def test_zip_members_in_their_order(tmp_path: Path) -> None:
    content = {"b/": b"", "b/two.txt": b"2" * 9_000_000, "one.txt": b"", "__MACOSX/b/._two.txt": b"junk"}
    source = local_file(save(tmp_path, archive(content), "all.zip"), Limits())
    members = list(zip_members(source, Limits()))
    assert [member.name.rpartition("all.zip/")[2] for member in members] == ["b/two.txt", "one.txt"]
    assert [member.size for member in members] == [9_000_000, 0]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/passwd", "..\\evil", "C:\\evil", "C:evil"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    source = local_file(save(tmp_path, archive({"good.csv": b"x", name: b"x"})), SMALL)
    with pytest.raises(UnsafeInputError) as caught:
        list(zip_members(source, SMALL))
    assert caught.value.code == "path-traversal"


def test_zip_bombs_are_refused(tmp_path: Path) -> None:
    honest = archive({f"{i}": bytes(60_000) for i in range(5)})
    with pytest.raises(UnsafeInputError) as caught:
        list(zip_members(local_file(save(tmp_path, honest), SMALL), SMALL))
    assert caught.value.code == "decompression-bomb"


def test_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    raw = bytearray(archive({"a": bytes(5_000_000)}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        begin = raw.index(signature) + place
        raw[begin : begin + 4] = (500).to_bytes(4, "little")
    with pytest.raises(InputError):
        list(zip_members(local_file(save(tmp_path, bytes(raw)), SMALL), SMALL))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    source = local_file(save(tmp_path, archive({str(i): b"" for i in range(20)})), SMALL)
    with pytest.raises(UnsafeInputError, match="too many members"):
        list(zip_members(source, Limits(members=19)))


def test_encrypted_and_unusual_members_are_refused(tmp_path: Path) -> None:
    raw = bytearray(archive({"a": b"secret"}))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="encrypted"):
        list(zip_members(local_file(save(tmp_path, bytes(raw)), SMALL), SMALL))
    with pytest.raises(InputError, match="unusual compression"):
        list(zip_members(local_file(save(tmp_path, archive({"a": b"x"}, compression=zipfile.ZIP_LZMA)), SMALL), SMALL))


def test_a_zip_without_its_end_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(RetryableError):
        list(zip_members(local_file(save(tmp_path, archive({"a": b"x" * 500})[:-10]), SMALL), SMALL))


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty archive"):
        list(open_captures(save(tmp_path, archive({}))))


def test_an_npz_bomb_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", arr_0=np.zeros((40, 200, 200), np.uint8))
    with pytest.raises(UnsafeInputError) as caught:
        list(open_captures(tmp_path / "bomb.npz", limits=SMALL))
    assert caught.value.code == "decompression-bomb"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 8, 1)})
    claims = archive({"arr_0.npy": header.getvalue()})
    with pytest.raises(UnsafeInputError, match="bigger than"):
        list(open_captures(save(tmp_path, claims)))
