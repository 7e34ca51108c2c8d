"""Row 27: parts are killed at random for a while: nothing is lost, and who lives on grows neither in memory nor files.

Half a minute in CI; WAFERWATCH_TEST_SOAK_S=28800 makes it a night.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess

import numpy as np
import psutil
import pytest

from models.domain.errors import RetryableError
from services.jobs import LeasePolicy
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.processes import running

pytestmark = pytest.mark.faults

SOAK_S = float(os.environ.get("WAFERWATCH_TEST_SOAK_S", "25"))
WARM_SHARE = 0.4
"""Of the time, in which caches fill."""
MOST_GROWTH_BYTES = 8 << 20
MOST_FILES = 4
POLICY = LeasePolicy(lease_s=0.5, max_attempts=10_000, backoff_s=0.01, backoff_limit_s=1)


def part(plant: Plant, which: str) -> None:
    """One part of the line, for ever."""
    machine = Machine(plant)
    watcher = machine.watcher()
    act: Callable[[], object] = {"watch": watcher.look, "work": machine.work_one, "relay": machine.relay_one}[which]
    while True:
        try:
            act()
        except RetryableError:
            time.sleep(0.1)
        time.sleep(0.02)


def leaking(plant: Plant) -> None:
    """A whole line that keeps something of each round."""
    machine, kept = Machine(plant), []
    watcher = machine.watcher()
    while True:
        for act in (watcher.look, machine.work_one, machine.relay_one):
            act()
        kept.append((os.urandom(400_000), plant.received.open()))
        time.sleep(0.02)


def steady(plant: Plant) -> None:
    """A whole line that is never killed."""
    machine = Machine(plant)
    watcher = machine.watcher()
    while True:
        for act in (watcher.look, machine.work_one, machine.relay_one):
            try:
                act()
            except RetryableError:
                time.sleep(0.1)
        time.sleep(0.02)


@dataclass
class Watched:
    """Memory and files of a process over time."""

    process: psutil.Process
    samples: list[tuple[float, int, int]] = field(default_factory=list)

    def look(self) -> None:
        self.samples.append((time.monotonic(), self.process.memory_info().rss, self.process.num_fds()))

    def growth_bytes(self) -> float:
        """By the straight line that fits best, over the time that was watched."""
        seconds, rss, _ = np.array(self._warm(), float).T
        return float(np.polyfit(seconds, rss, 1)[0] * (seconds[-1] - seconds[0]))

    def more_files(self) -> int:
        files = [sample[2] for sample in self._warm()]
        third = max(1, len(files) // 3)
        return int(np.median(files[-third:]) - np.median(files[:third]))

    def _warm(self) -> list[tuple[float, int, int]]:
        return self.samples[round(WARM_SHARE * len(self.samples)) :]


def watched(process: BaseProcess) -> Watched:
    return Watched(psutil.Process(process.pid))


def test_killed_at_random_for_a_while(plant: Plant) -> None:
    plant = replace(plant, policy=POLICY)
    texts: set[str] = set()
    dice, kills = random.Random(7), 0
    with ExitStack() as lasting:
        survivor = watched(lasting.enter_context(running(steady, plant)))
        end = time.monotonic() + SOAK_S
        while time.monotonic() < end:
            with ExitStack() as brief:
                victims = [brief.enter_context(running(part, plant, one)) for one in ("watch", "work", "relay")]
                life = time.monotonic() + dice.uniform(1.0, 2.5)
                while time.monotonic() < life:
                    text = f"T{len(texts) % 40}@{len(texts) % 3}\n" + "0 " * (len(texts) // 40) + "0"
                    texts.add(text)
                    plant.put(f"{time.monotonic_ns()}.001", text)
                    time.sleep(0.1)
                    survivor.look()
                kills += len(victims)  # the block ends with SIGKILL
    with closing(Machine(plant)) as machine:
        time.sleep(1.1 * POLICY.lease_s)
        for _ in range(3):
            machine.ingest()
            machine.work()
            machine.relay()
            time.sleep(0.6)
    check_invariant(plant, texts, most_repeats=kills)
    assert survivor.growth_bytes() < MOST_GROWTH_BYTES
    assert survivor.more_files() <= MOST_FILES


def test_a_leak_is_seen(plant: Plant) -> None:
    with running(leaking, plant) as process:
        time.sleep(3)
        found = watched(process)
        for _ in range(60):
            found.look()
            time.sleep(0.1)
    assert found.growth_bytes() > MOST_GROWTH_BYTES
    assert found.more_files() > MOST_FILES
