"""Names from outside."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.names import LONGEST, file_name, printable


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/lot7.001", "lot7.001"),
        ("C:\\tools\\lot7.001", "lot7.001"),
        ("../../etc/passwd", "passwd"),
        ("folder/", "folder"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("lot\n7\x1b[31m.001", "lot\\n7\\x1b[31m.001"),
        (os.fsdecode(b"lot\xff.001"), "lot\\xff.001"),
    ],
)
def test_the_last_part_without_what_breaks_logs(path: str, name: str) -> None:
    assert file_name(path) == name


@settings(deadline=None)
@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() or not shown
    assert len(shown) <= LONGEST
    shown.encode()


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_of_a_file_system_too(raw: bytes) -> None:
    printable(os.fsdecode(raw)).encode()
