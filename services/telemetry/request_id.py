"""The request that is being served, by one word: on log lines, in answers, in the journal of what it changed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

from services.telemetry.logs import log_context

_current: ContextVar[str | None] = ContextVar("waferwatch_request_id", default=None)
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,63}", re.ASCII)
"""Long enough to be looked up, nothing that means something to a shell, a log or a page."""
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII
)
"""W3C Trace Context, level 1: version, trace id, parent id, flags; later versions may add parts."""


def chosen_id(told: str | None, traceparent: str | None) -> str:
    """The id of a request: what the caller calls it, else the trace it belongs to, else a new one.

    Args:
        told: the X-Request-ID header; ignored if it is not well-formed, like the other.
        traceparent: the traceparent header.
    """
    if told is not None and _WELL_FORMED.fullmatch(told):
        return told
    if traceparent is not None and (trace := _TRACEPARENT.fullmatch(traceparent)):
        return trace[1]
    return uuid4().hex


@contextmanager
def serving(request_id: str) -> Iterator[None]:
    """While the block runs, also in threads it asks to work for it, this is the request that is served."""
    token = _current.set(request_id)
    try:
        with log_context(request=request_id):
            yield
    finally:
        _current.reset(token)


def current_request_id() -> str | None:
    """The request that is served here; None for work of the service's own and for the command line."""
    return _current.get()
