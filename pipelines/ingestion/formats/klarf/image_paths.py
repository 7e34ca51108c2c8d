r"""Opening the pictures that a KLARF file names, without leaving its folder.

What stands in a file was written by somebody else's tool, often on a machine with another root. Of `D:\lot\a.tif`,
`../a.tif` and `a.tif` only the last component counts, and it must be a plain file next to the KLARF file, not a link.
"""

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import InputError, UnsafeInputError

_LONGEST = 255
_DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL
)


def image_name(written: str) -> str:
    """The name of the file next to the KLARF file that a reference means.

    Args:
        written: the reference as it stands in the file.

    Raises:
        UnsafeInputError: it names no plain file.
    """
    name = re.split(r"[/\\]", written)[-1]
    unsafe = (
        not name.strip(" .")
        or len(name.encode("utf-8", "surrogateescape")) > _LONGEST
        or any(ord(letter) < 32 or letter == ":" for letter in name)
        or _DEVICE.fullmatch(name.rstrip(" ."))
    )
    if unsafe:
        raise UnsafeInputError(
            "unsafe image reference",
            where=repr(written[:80]),
            expected="the name of a file next to the KLARF file",
            code="unsafe-path",
        )
    return name


def open_image(folder: str | Path, written: str) -> BinaryIO:
    """Open a picture for reading.

    Args:
        folder: of the KLARF file.
        written: the reference as it stands in the file. Capitals do not count if that leaves one file, because tools
            on Windows write names as they please.

    Raises:
        UnsafeInputError: the reference names no plain file: a device, a link, something that is no file.
        InputError: there is no such file.
    """
    name = image_name(written)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return os.fdopen(_open_in(handle, name), "rb")
    except FileNotFoundError as error:
        raise InputError("image is missing", where=str(Path(folder) / name), code="missing-image") from error
    except OSError as error:
        raise UnsafeInputError(
            "image is no plain file", where=str(Path(folder) / name), got=error.strerror or "", code="unsafe-path"
        ) from error
    finally:
        os.close(handle)


def _open_in(folder: int, name: str) -> int:
    try:
        return _open_plain(folder, name)
    except FileNotFoundError:
        alike = [entry for entry in os.listdir(folder) if entry.casefold() == name.casefold()]
        if len(alike) != 1:
            raise
        return _open_plain(folder, alike[0])


def _open_plain(folder: int, name: str) -> int:
    # O_NONBLOCK: opening a named pipe would wait for a writer before it could be found out
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "not a regular file")
    return handle
