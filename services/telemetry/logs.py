"""Logs: configured once by the process entry, one line per event, carrying what the work is about.

A lot or file name comes from outside and may hold a line break: everything is escaped, so that nobody can forge a log
line by naming a wafer (CWE-117).
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

_context: ContextVar[dict[str, str]] = ContextVar("waferwatch_log_context")

_QUIET = ("uvicorn.access", "httpx", "multipart", "python_multipart")
"""Libraries whose INFO lines repeat what our metrics already say."""


@contextmanager
def log_context(**fields: str) -> Iterator[None]:
    """Put fields (request=…, job=…, inspection=…) on every line logged inside the block, by any module."""
    token = _context.set({**_context.get({}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def one_line(text: str) -> str:
    """The text without line breaks or other control characters, each written as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class LineFormatter(logging.Formatter):
    """`12:30:01 INFO  services.api: message [request=ab12]`; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One readable line in local time."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = " ".join(f"{key}={one_line(value)}" for key, value in _context.get({}).items())
        line = f"{at} {record.levelname:<7} {record.name}: {one_line(record.getMessage())}"
        if fields:
            line += f" [{fields}]"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for collectors: at (UTC), level, logger, message, then the context's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; the encoder escapes control characters."""
        entry: dict[str, str] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_context.get({}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(level: str = "INFO", *, as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send all logs to one stream, in one shape; called by process entries only.

    Args:
        level: name of the lowest level that is written.
        as_json: for machines instead of people.
        stream: where to; standard error if None.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
