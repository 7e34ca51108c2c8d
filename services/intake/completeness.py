"""Is a file all there? Tools write wafer files in pieces, and pauses between them can outlast any two looks."""

from collections.abc import Callable
from pathlib import Path

from models.domain.errors import RetryableError
from pipelines.ingestion import Limits, open_captures

Check = Callable[[Path], None]
"""Raises `RetryableError` (`truncated`) if the file ends too early, `InputError` if it is wrong anyway."""

_NOT_HASHED = "0" * 64
"""Nobody keeps the ids of these captures: the file is hashed when it is copied."""


def check_complete(path: Path, limits: Limits | None = None) -> None:
    """Open every capture of a file, to its end. An empty one may just have been created: it is not all there.

    Raises:
        RetryableError: it ends too early (`truncated`).
        InputError: it is wrong, whatever may come behind its end.
        ConfigurationError: it may not be read.
    """
    if path.stat().st_size == 0:
        raise RetryableError("file is empty so far", where=str(path), expected="content", code="truncated")
    try:
        for _ in open_captures(path, limits=limits, sha256=_NOT_HASHED):
            pass
    except RetryableError as error:
        if error.code == "truncated":
            raise
