"""References to pictures never lead out of the folder."""

import os

import pytest

from models.domain.errors import InputError, UnsafeInputError
from pipelines.ingestion.formats.klarf import image_name, open_image


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a.tif", "a.tif"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        (r"D:\lot\a b.tif", "a b.tif"),
        (r"\\server\share\a.tif", "a.tif"),
        ("images/a.tif", "a.tif"),
        ("ä.tif", "ä.tif"),
        ("console.tif", "console.tif"),
    ],
)
def test_only_the_last_component_counts(written: str, name: str) -> None:
    assert image_name(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "..",
        "/",
        "a/..",
        "a\\",
        " ",
        "...",
        "a\0.tif",
        "a\n.tif",
        "C:a.tif",
        "CON",
        "nul.tif",
        "COM1",
        "x" * 256,
    ],
)
def test_what_is_no_plain_name_is_refused(written: str) -> None:
    with pytest.raises(UnsafeInputError, match="unsafe image reference"):
        image_name(written)


def test_opening(tmp_path) -> None:
    (tmp_path / "Shot.TIF").write_bytes(b"picture")
    for written in ("Shot.TIF", "shot.tif", r"D:\x\SHOT.tif"):
        with open_image(tmp_path, written) as stream:
            assert stream.read() == b"picture"


def test_missing_and_ambiguous_names(tmp_path) -> None:
    with pytest.raises(InputError, match="image is missing"):
        open_image(tmp_path, "a.tif")
    (tmp_path / "A.tif").touch()
    (tmp_path / "a.TIF").touch()
    with pytest.raises(InputError, match="image is missing"):
        open_image(tmp_path, "a.tif")


def test_links_pipes_and_folders_are_refused(tmp_path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link.tif").symlink_to(tmp_path / "secret")
    (tmp_path / "folder.tif").mkdir()
    os.mkfifo(tmp_path / "pipe.tif")
    for name in ("link.tif", "folder.tif", "pipe.tif"):
        with pytest.raises(UnsafeInputError, match="no plain file"):
            open_image(tmp_path, name)
