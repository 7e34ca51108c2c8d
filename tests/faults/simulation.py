"""A seeded simulation: machines that die, sleep and meet each other at every point, and a clock that is set both ways.

One thread, no real time: the actors are the library's own functions on a SQLite file, the randomness one generator, the
database's clock a number. At each point between two effects the generator may kill the actor, let others run in the
middle of it (as if it were stopped and continued), or set the clock. A seed is one history, and replays.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from models.domain.errors import RetryableError
from services.intake.watching import Look
from services.jobs import LostLease
from services.records.session import Database
from tests.faults.plant import POLICY, Machine, Plant
from tests.faults.points import Points

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY_S = 86_400.0
INSIDE_TRANSACTION = {"before commit"}
"""Points where others cannot run: SQLite has one writer."""
KILL, SLEEP, CLOCK = 0.04, 0.10, 0.02


class Killed(BaseException):
    """SIGKILL."""


class World:
    """The disk and the database, wiped for each seed. The statements compiled stay: they are most of the time.

    Attributes:
        clock_s: the database's clock, seconds since `START`.
    """

    def __init__(self, folder: Path, template: Path) -> None:
        self._folder = folder
        self._template = template
        self._path = folder / "waferwatch.db"
        folder.mkdir(parents=True)
        self.clock_s = 0.0
        self.database = Database(f"sqlite:///{self._path}")
        for engine in (self.database.engine, self.database._read_engine):
            event.listen(engine, "connect", self._fake_clock)

    def wiped(self) -> Plant:
        """Everything as on the first day."""
        self.database.close()
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        shutil.copy(self._template, self._path)
        self.clock_s = 0.0
        policy = replace(POLICY, max_attempts=1000)  # they die often here, and files are not to blame
        return Plant(f"sqlite:///{self._path}", self._folder / "plant", policy).build()

    def _fake_clock(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.create_function("strftime", -1, lambda *_: self._now(), deterministic=False)
        connection.execute("PRAGMA synchronous=OFF").close()  # nobody cuts the power here

    def _now(self) -> str:
        return (START + timedelta(seconds=self.clock_s)).strftime("%Y-%m-%d %H:%M:%S.%f")


class Simulation:
    """One seed's history."""

    def __init__(self, seed: int, world: World) -> None:
        self.random = random.Random(seed)
        self.world = world
        self.plant = world.wiped()
        self.trace: list[str] = []
        self.texts: set[str] = set()
        self.relays_disturbed = 0
        """Each may send one message a second time."""
        self._busy: list[int] = []
        self._quiet = False
        self.machines = [Machine(self.plant, self.at, world.database) for _ in range(2)]
        self.watchers = [machine.watcher() for machine in self.machines]

    def run(self, steps: int = 30) -> None:
        """A history, then peace: everything gets the time it needs, and nothing fails any more."""
        with Points(self.at):
            for number in range(steps):
                if self.random.random() < 0.2:
                    self._arrive(number)
                self._act()
                self.world.clock_s += self.random.choice((0.1, 1, 10, 40))
            self._quiet = True
            still = 0
            while still < 3:  # with 40 s each, longer than any pause or lease
                self.world.clock_s += 40
                busy = [self._act(actor) for actor in range(6)]
                still = 0 if any(busy) else still + 1

    def _arrive(self, number: int) -> None:
        text = self.random.choice((f"T{number % 3}@1 2\n0", "99 0", f"{number % 4}", f"0\n{number % 3}\nbroken"))
        self.texts.add(text)
        self.plant.put(f"{number}.001", text)
        self._say(f"arrive {number}")

    def _act(self, actor: int | None = None) -> bool:
        """One of two watchers, workers and relays does its next thing; whether it had anything to do."""
        idle = [one for one in range(6) if one not in self._busy]  # nobody meets himself
        actor = self.random.choice(idle) if actor is None else actor
        machine, watcher = self.machines[actor % 2], self.watchers[actor % 2]
        act: Callable[[], object] = (
            lambda: watcher.look() != Look(),
            machine.work_one,
            machine.relay_one,
        )[actor // 2]
        self._say(f"actor {actor}")
        self._busy.append(actor)
        try:
            return bool(act())
        except Killed:
            self._say("killed")
            self.watchers[actor % 2] = machine.watcher()  # a new process remembers nothing
        except (RetryableError, LostLease) as error:
            self._say(type(error).__name__)
        finally:
            self._busy.pop()
        return True

    def at(self, point: str) -> None:
        """A point has come."""
        if self._quiet:
            return
        fate = self.random.random()
        self._say(point)
        is_relay = bool(self._busy) and self._busy[-1] >= 4
        self.relays_disturbed += is_relay and fate < KILL + SLEEP + CLOCK
        if fate < KILL:
            raise Killed
        if point in INSIDE_TRANSACTION:
            return
        if fate < KILL + SLEEP and len(self._busy) < 4:
            self.world.clock_s += self.random.choice((0, 1, 31, 100))
            for _ in range(self.random.randrange(1, 6)):
                self._act()
        elif fate < KILL + SLEEP + CLOCK:
            self.world.clock_s += self.random.choice((-DAY_S, -3600, -20, 3600, DAY_S))

    def _say(self, what: str) -> None:
        self.trace.append(what)
