"""Parts of the plant as processes that can be killed, stopped and continued, forked from a server that has the code."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults import mutants
from tests.faults.plant import Machine, Plant
from tests.faults.points import Points

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.processes", "tests.faults.pages", "tests.faults.mutants"])


def run_part(
    plant: Plant, part: str, kill_at: int | None = None, log: Path | None = None, mutant: str | None = None
) -> int:
    """Run `ingest`, `work` or `relay` in a process of its own, which kills itself at the `kill_at`-th point.

    Returns:
        Its exit code: 0, or -9.
    """
    process = _context.Process(target=_part, args=(plant, part, kill_at, log, mutant))
    process.start()
    process.join(180)  # the first one waits for the server to import everything
    assert process.exitcode is not None, f"{part} hangs"
    return process.exitcode


@contextmanager
def running(target: Callable[..., None], *arguments: object, **named: object) -> Iterator[BaseProcess]:
    """A process that is ended, whatever its state, when the block ends."""
    process = _context.Process(target=target, args=arguments, kwargs=named)
    process.start()
    try:
        yield process
    finally:
        if process.exitcode is None:
            os.kill(process.pid or 0, signal.SIGCONT)
            process.kill()
        process.join()


def take_in(plant: Plant, mutant: str | None = None) -> None:
    """Look at the watch folder until it is empty."""
    with mutants.planted(mutant):
        machine = Machine(plant)
        while any(plant.watch.iterdir()):
            machine.ingest()


def _part(plant: Plant, part: str, kill_at: int | None, log: Path | None, mutant: str | None) -> None:
    passed: list[str] = []

    def at(name: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # heartbeats come when they like
        passed.append(name)
        if log is not None:
            log.write_text("\n".join(passed))
        if len(passed) - 1 == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    machine = Machine(plant, at)
    with mutants.planted(mutant), Points(at):
        getattr(machine, part)()
