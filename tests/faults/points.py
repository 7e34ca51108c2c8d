"""The points between which a process can die: every call that changes what is on disk or in the database."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event

from services.records.session import WriteSession

At = Callable[[str], None]


class Points:
    """Calls `at` before and after each such call, while installed."""

    def __init__(self, at: At) -> None:
        self._at = at
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> "Points":
        self._wrap(os, "fsync", "fsync")
        self._wrap(Path, "rename", "rename")
        self._wrap(Path, "unlink", "unlink")
        self._listen("before_commit", lambda _: self._at("before commit"))
        self._listen("after_commit", lambda _: self._at("after commit"))
        return self

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()

    def _wrap(self, owner: Any, name: str, label: str) -> None:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            self._at(f"before {label}")
            result = real(*arguments, **named)
            self._at(f"after {label}")
            return result

        setattr(owner, name, wrapped)
        self._undo.append(lambda: setattr(owner, name, real))

    def _listen(self, name: str, handler: Callable[[Any], None]) -> None:
        event.listen(WriteSession, name, handler)
        self._undo.append(lambda: event.remove(WriteSession, name, handler))
