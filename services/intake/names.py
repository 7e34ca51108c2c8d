"""Names that came from outside: shown to people, never used as paths."""

LONGEST = 1024


def printable(text: str) -> str:
    r"""The same name without what could break a log line, a database or a terminal; at most 1,024 characters.

    Bytes of a file name that are not UTF-8 (Python's surrogates) and control characters are written as escapes.

    >>> printable("lot\n7")
    'lot\\n7'
    """
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in plain
    )[:LONGEST]


def file_name(path: str) -> str:
    r"""The last part of a path of any system, printable; 'unnamed' if there is none.

    >>> file_name("C:\\data\\..\\lot7.001")
    'lot7.001'
    """
    name = printable(path.replace("\\", "/").rstrip("/").rpartition("/")[2])
    return name if name not in ("", ".", "..") else "unnamed"
