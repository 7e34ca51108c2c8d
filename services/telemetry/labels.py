"""Bounded label values: a metric label that can take any text would grow a time series per text, for ever."""

import re
import threading

OTHER = "other"
_MAX_LENGTH = 64
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class BoundedValues:
    """Lets the first `limit` different values through and calls every further one "other".

    Used where the vocabulary is small in practice and unbounded in principle: patterns come from a bundle and rules
    from a file, but tools are named by whatever writes the KLARF file.

    Attributes:
        limit: how many different values are told apart.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, value: str | None) -> str:
        """The value as a label: printable, at most 64 characters; "none" for nothing, "other" past the limit."""
        if not value:
            return "none"
        cleaned = _UNPRINTABLE.sub("?", value)[:_MAX_LENGTH]
        with self._lock:
            if cleaned in self._seen:
                return cleaned
            if len(self._seen) >= self.limit:
                return OTHER
            self._seen.add(cleaned)
        return cleaned
