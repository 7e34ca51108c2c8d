"""Keeps the parts of one machine's service running: starts them, restarts what dies, stops all in order.

Parts are the same commands a production host runs under systemd or Kubernetes; nothing here knows what they do.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""A part that ran this long is healthy: its next restart is quick again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process: `waferwatch` with these arguments; `stop_s` is how long it may take to end on SIGTERM."""

    name: str
    arguments: tuple[str, ...]
    stop_s: float = 15.0


@dataclass(slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    started: float
    delay_s: float = FIRST_DELAY_S
    restart_at: float | None = None


class Supervisor:
    """Runs parts until told to stop."""

    def __init__(self, parts: Sequence[Part], log_folder: Path, environment: Mapping[str, str]) -> None:
        """Prepare.

        Args:
            parts: started in this order, stopped in reverse.
            log_folder: each part writes `<name>.log` there.
            environment: of the parts, besides this process's own.
        """
        self._parts = tuple(parts)
        self._log_folder = log_folder
        self._environment = {**os.environ, **environment}
        self._running: dict[str, _Running] = {}
        self._stop = threading.Event()

    def run(self, poll_s: float = 0.5) -> None:
        """Start all parts and keep them running until `stop` is called."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        try:
            for part in self._parts:
                self._running[part.name] = _Running(part, self._spawn(part), time.monotonic())
            while not self._stop.wait(poll_s):
                for running in self._running.values():
                    self._revive(running)
        finally:
            self._stop_all()

    def stop(self) -> None:
        """Ask `run` to end; callable from a signal handler or another thread."""
        self._stop.set()

    def stop_on_signals(self) -> None:
        """End on SIGTERM and SIGINT (Ctrl-C)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def pids(self) -> Mapping[str, int]:
        """Process ids of the parts, by name."""
        return {name: running.process.pid for name, running in self._running.items()}

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        with (self._log_folder / f"{part.name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own interpreter with our own arguments
                [sys.executable, "-m", "services.cli", *part.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops the parts in order
            )

    def _revive(self, running: _Running) -> None:
        status = running.process.poll()
        if status is None:
            return
        now = time.monotonic()
        if running.restart_at is None:
            if now - running.started > STEADY_S:
                running.delay_s = FIRST_DELAY_S
            running.restart_at = now + running.delay_s
            _log.error(
                "part %s ended with status %d; restart in %.0f s; see %s",
                running.part.name,
                status,
                running.delay_s,
                self._log_folder / f"{running.part.name}.log",
            )
            running.delay_s = min(2 * running.delay_s, LONGEST_DELAY_S)
        elif now >= running.restart_at:
            running.process, running.started, running.restart_at = self._spawn(running.part), now, None

    def _stop_all(self) -> None:
        for running in reversed(self._running.values()):
            if running.process.poll() is None:
                running.process.terminate()
        for running in reversed(self._running.values()):
            try:
                running.process.wait(running.part.stop_s)
            except subprocess.TimeoutExpired:
                _log.error("part %s did not end within %.0f s: killed", running.part.name, running.part.stop_s)
            finally:
                _kill_group(running.process.pid)
                running.process.wait()


def _kill_group(pid: int) -> None:
    """A part leads its own session: whatever it left behind (Ray's processes after a crash) goes with it."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
