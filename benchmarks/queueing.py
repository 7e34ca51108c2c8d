"""The line as a queue: what it can do and how long wafers wait, predicted from the cost of its parts alone.

    python -m benchmarks.queueing [--fabs 50] [--wafers-per-day 100000] [--bundle DIR]

A job waits in the database, is leased by an inspector's thread, and passes three stations: it is read (parse, draw,
ask), classified (batches what waits) and recorded. Reading and recording are Python in the inspector's process, which
does one thing at a time whatever its threads; recording needs the database's writer as well (SQLite has one). Each
step needs a core; Ray's idling and the uploads take theirs. `measure` times the parts one by one, without load;
`simulate` plays the line with Poisson arrivals (discrete events); `benchmarks.serving_load` holds what it predicts
against what was measured.
"""

import argparse
import heapq
import itertools
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import call_costs
from benchmarks.serving_rig import make_bundle, prepared, say, wafers
from models.bundle import load_bundle
from models.classifier import Classifier
from pipelines.ingestion import cut, open_captures
from services.inspection import Workplace, work_once

POLL_S = 0.5
"""An idle thread looks for work this often."""
SPREAD = 0.3
"""Coefficient of variation of each part's time."""
BATCH = 32
PEAK = 3.0
"""A fab's busiest hour over its mean one: lots come in waves."""


@dataclass(frozen=True)
class Costs:
    """CPU seconds of one wafer's parts; a call of the classifier costs `call_s` and `patch_s` for each patch.

    What is around them (`benchmarks.call_costs`) is nothing where it was not measured.
    """

    inspect_s: float
    database_s: float
    call_s: float
    patch_s: float
    patches: int
    ask_s: float = 0.0
    answer_s: float = 0.0
    idle_share: float = 0.0
    upload_s: float = 0.0


@dataclass(frozen=True)
class Line:
    """How much there is of everything."""

    cores: int = 2
    inspectors: int = 1
    threads: int = 4
    classifiers: int = 1
    writers: int = 1


@dataclass(frozen=True)
class Prediction:
    """What the simulation says: wafers done a second, waits in seconds, and each station's load, 0 to 1."""

    per_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    loads: dict[str, float]


@dataclass(eq=False)
class _Pool:
    """Who can do so many things at a time."""

    servers: int
    busy: int = 0


@dataclass(eq=False)
class _Station:
    name: str
    needs: tuple[_Pool, ...]
    call_s: float
    each_s: float
    batch: int = 1
    waiting: deque[int] = field(default_factory=deque)
    worked_s: float = 0.0

    @property
    def is_free(self) -> bool:
        return all(pool.busy < pool.servers for pool in self.needs)

    def take(self, count: int) -> None:
        for pool in self.needs:
            pool.busy += count


class Play:
    """The line in motion."""

    def __init__(self, costs: Costs, line: Line, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        cores, inspectors, writers = _Pool(line.cores), _Pool(line.inspectors), _Pool(line.writers)
        replicas = _Pool(line.classifiers)
        answer_s = costs.answer_s + costs.patch_s * costs.patches
        self.stations = (
            _Station("upload", (cores, _Pool(1)), 0.0, costs.upload_s),
            _Station("read", (cores, inspectors), 0.0, costs.inspect_s + costs.ask_s),
            _Station("classify", (cores, replicas), costs.call_s, answer_s, BATCH),
            _Station("record", (cores, inspectors, writers), 0.0, costs.database_s),
        )
        self.slots = line.inspectors * line.threads
        self.slower = line.cores / (line.cores - costs.idle_share)
        self.queue: deque[int] = deque()
        self.events: list[tuple[float, int, _Station | None, list[int]]] = []
        self.ended: dict[int, float] = {}
        self._order = itertools.count()

    def run(self, arrivals: NDArray[np.float64], until: float) -> None:
        """Until no job is left, or the time is over. An event without a station is a look into the queue."""
        coming = deque(enumerate(arrivals))
        while True:
            if coming and (not self.events or coming[0][1] <= self.events[0][0]):
                job, now = coming.popleft()
                self.stations[0].waiting.append(job)
                self._begin(now)
            elif self.events:
                now, _, station, jobs = heapq.heappop(self.events)
                if station is not None:
                    self._pass_on(now, station, jobs)
                is_look = station is None or station is self.stations[-1]  # who has just finished looks at once
                while is_look and self.slots and self.queue:
                    self.slots -= 1
                    self.stations[1].waiting.append(self.queue.popleft())
                self._begin(now)
            else:
                return
            if now > until:
                return

    def _begin(self, now: float) -> None:
        for station in reversed(self.stations):  # what is nearly done goes first
            while station.waiting and station.is_free:
                jobs = [station.waiting.popleft() for _ in range(min(station.batch, len(station.waiting)))]
                took = (station.call_s + station.each_s * len(jobs)) * self.rng.gamma(1 / SPREAD**2, SPREAD**2)
                took *= self.slower
                station.take(1)
                station.worked_s += took
                self._later(now + took, station, jobs)

    def _pass_on(self, now: float, station: _Station, jobs: list[int]) -> None:
        station.take(-1)
        after = self.stations.index(station) + 1
        if after == 1:  # uploaded: an idle thread notices at its next look, the first of several sooner
            self.queue.extend(jobs)
            if self.slots:
                self._later(now + POLL_S * self.rng.beta(1, self.slots), None, [])
            return
        if after < len(self.stations):
            self.stations[after].waiting.extend(jobs)
            return
        self.slots += len(jobs)
        self.ended.update(dict.fromkeys(jobs, now))

    def _later(self, at: float, station: _Station | None, jobs: list[int]) -> None:
        heapq.heappush(self.events, (at, next(self._order), station, jobs))


def simulate(costs: Costs, line: Line, offered_per_s: float, seconds: float = 1800.0, seed: int = 0) -> Prediction:
    """Play the line for a while; the first tenth is not counted."""
    play = Play(costs, line, seed)
    arrivals = np.cumsum(play.rng.exponential(1 / offered_per_s, int(offered_per_s * seconds)))
    play.run(arrivals, seconds)
    late = {job: at for job, at in play.ended.items() if at > seconds / 10}
    waits = np.array([at - arrivals[job] for job, at in late.items()])
    p50, p95, p99 = (float(np.quantile(waits, q)) for q in (0.5, 0.95, 0.99))
    worked = {one.name: one.worked_s / seconds for one in play.stations}
    loads = {
        "inspector": (worked["read"] + worked["record"]) / line.inspectors,
        "classifier": worked["classify"] / line.classifiers,
        "writer": worked["record"] / line.writers,
        "cores": sum(worked.values()) / line.cores,
    }
    return Prediction(len(late) / (0.9 * seconds), p50, p95, p99, loads)


def capacity(costs: Costs, line: Line) -> float:
    """Wafers a second where the queue is never empty; they are there already."""
    return simulate(replace(costs, upload_s=0.0), line, offered_per_s=200.0, seconds=120.0).per_s


def slowed(costs: Costs, factor: float) -> Costs:
    """The same with everything that takes time taking so many times as long."""
    taking = {name: factor * value for name, value in vars(costs).items() if name.endswith("_s")}
    return replace(costs, **taking)


PAST = 700
"""Wafers that are recorded before the database's part is timed: control charts read the newest 600 of their stream."""


def measure(bundle: Path | None, levels: tuple[int, ...], folder: Path, count: int = 40) -> Costs:
    """Time the parts one by one, CPU seconds."""
    torch.set_num_threads(1)  # as a replica has; threads that wait for each other would be counted as work
    manifest = make_bundle(folder / "measured", levels, bundle)
    classifier = Classifier(load_bundle(folder / "measured"), "cpu")
    contents = list(itertools.islice(wafers(folder / "parts", 10_000), count))
    path = folder / "one.001"
    began = time.process_time()
    for content in contents:
        path.write_bytes(content)
        (reader,) = open_captures(path)
        patches = np.stack([patch.pixels for patch in cut(reader, manifest.recipe.domain_tiling)])
    inspect_s = (time.process_time() - began) / count
    few, many = (patches[:1], np.resize(patches, (BATCH, *patches.shape[1:])))
    seconds = []
    for pixels in (few, many):
        classifier.predict(pixels)
        began = time.process_time()
        for _ in range(5):
            classifier.predict(pixels)
        seconds.append((time.process_time() - began) / 5)
    patch_s = (seconds[1] - seconds[0]) / (BATCH - 1)
    with prepared(folder / "home", folder / "measured") as rig:

        class Instant:
            manifest = classifier.manifest
            answer = classifier.predict(patches)

            def classify(self, pixels: np.ndarray) -> object:
                return self.answer if len(pixels) == len(patches) else classifier.predict(pixels)

        place = Workplace(rig.database, rig.spool, "measuring")
        rig.send_together(itertools.islice(wafers(folder / "past", 10_000), 0, PAST + count))
        for number in range(PAST + count):
            if number == PAST:
                began = time.process_time()
            work_once(place, lambda _, **__: Instant())  # type: ignore[arg-type, return-value]
        whole_s = (time.process_time() - began) / count
    around = call_costs.measure(folder, folder / "measured")
    database_s = max(0.001, whole_s - inspect_s)
    return Costs(inspect_s, database_s, max(0.0, seconds[0] - patch_s), patch_s, len(patches), **vars(around))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fabs", type=int, default=50)
    parser.add_argument("--wafers-per-day", type=float, default=100_000)
    parser.add_argument("--bundle", type=Path)
    arguments = parser.parse_args()
    peak_per_s = PEAK * arguments.wafers_per_day / 86_400
    for levels in ((0,), (0, 1, 2, 3)):
        with tempfile.TemporaryDirectory() as scratch:
            costs = measure(arguments.bundle, levels, Path(scratch))
        say(what="costs", levels=levels, **vars(costs))
        one = capacity(costs, Line())
        say(what="one inspector, one classifier, two cores", wafers_per_s=one, wafers_per_day=one * 86_400)
        # each fab has a line of its own: how many cores keep p95 below 2 s in its busiest hour?
        for cores in range(2, 65, 2):
            line = Line(cores=cores, inspectors=max(1, cores // 8), classifiers=max(1, cores - 1))
            found = simulate(costs, line, peak_per_s, seconds=600.0)
            if found.p95_s < 2.0 and found.per_s > 0.95 * peak_per_s:
                break
        first = max((name for name in found.loads if name != "cores"), key=found.loads.__getitem__)
        say(what="a fab's busiest hour", offered_per_s=peak_per_s, cores=cores, p95_s=found.p95_s, loads=found.loads,
            saturates_first=first, all_fabs_cores=arguments.fabs * cores)  # fmt: skip


if __name__ == "__main__":
    main()
