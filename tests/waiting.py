"""Waiting for things, and a clock that does not count what a busy machine gives to others."""

import threading
import time
from collections.abc import Callable
from types import TracebackType


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> bool:
    """Whether a condition holds within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Pace:
    """Seconds as this process lives them, from `with` on to its end: bounds on them hold on any machine.

    A thread looks often at the clock on the wall. Where it was not let run for longer than between two looks, others
    were: that time does not count. On an idle machine both clocks agree within a tenth.
    """

    TICK_S = 0.02

    def __init__(self) -> None:
        self.lived_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Pace":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def of(self, call: Callable[[], object]) -> float:
        """Seconds that a call takes."""
        began = self.lived_s
        call()
        return self.lived_s - began

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(self.TICK_S):
            now = time.monotonic()
            self.lived_s += min(now - last, 1.5 * self.TICK_S)
            last = now
