"""The service under load: twice what it can do, and four fifths of it.

    python -m benchmarks.serving_load [--bundle DIR] [--minutes 5] [--postgres]

1. Capacity: wafers of 10,000 defects a second, from a queue that is never empty.
2. Overload: uploads come at twice that rate, whether answered or not. No answer but 202 and 503 with Retry-After,
   memory bounded, and when they stop the queue drains and every accepted wafer has its verdict.
3. Load: at 0.8 of capacity, arrivals at random (Poisson). From the file being safe to its verdict being recorded:
   p95 below 2 s, p99 below 5 s.

The figures, beside what `benchmarks.queueing` predicts from the service times alone, are the capacity model of
ARCHITECTURE.md. The client runs on the same machine and takes its share of it.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import numpy as np

from benchmarks import queueing
from benchmarks.serving_rig import Rig, make_bundle, say, service, wafers
from services.records.session import now
from services.records.tables import JobState
from tests.postgres import Postgres

DEFECTS = 10_000
OVERLOAD, LOAD = 2.0, 0.8
P95_S, P99_S = 2.0, 5.0
GROWTH = 1.3
"""Most that memory may grow from the first to the last third of an overload; the first minute fills caches."""
WARM_UP = queueing.PAST


def capacity(rig: Rig, contents: Iterator[bytes], wafers_sent: int) -> float:
    """Wafers a second out of a queue that is never empty."""
    before = rig.finished()
    rig.send_together(islice(contents, WARM_UP + wafers_sent))
    began = rig.drain(before + WARM_UP, 300)
    ended = rig.drain(before + WARM_UP + wafers_sent, 600)
    return wafers_sent / (ended - began)


async def offer(rig: Rig, contents: Iterator[bytes], rate: float, seconds: float, *, at_random: bool) -> Counter[str]:
    """Uploads at a rate, open loop: the next one comes whether the last was answered or not. Answers by kind."""
    rng = np.random.default_rng(0)
    answers: Counter[str] = Counter()
    # a connection that has rested as long as the server lets it is not used again: it may just be closed
    limits = httpx.Limits(max_connections=200, keepalive_expiry=2.0)

    async with httpx.AsyncClient(base_url=rig.url, timeout=60, limits=limits) as client:

        async def upload(content: bytes) -> None:
            try:
                answer = await client.post("/api/v1/captures", files={"file": ("wafer.001", content)})
            except httpx.TransportError as error:
                answers[type(error).__name__] += 1
                return
            told = " with Retry-After" if answer.headers.get("Retry-After") else ""
            answers[f"{answer.status_code}{told}"] += 1

        under_way: set[asyncio.Task[None]] = set()
        due, end = time.monotonic(), time.monotonic() + seconds
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(upload(next(contents)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += rng.exponential(1 / rate) if at_random else 1 / rate
        await asyncio.gather(*under_way)
    return answers


async def watched(rig: Rig, work: asyncio.Task[Counter[str]]) -> list[int]:
    """Resident bytes of the service every two seconds while something goes on."""
    seen = []
    while not work.done():
        seen.append((await asyncio.to_thread(rig.usage)).rss_bytes)
        await asyncio.sleep(2)
    return seen


def overload(rig: Rig, contents: Iterator[bytes], rate: float, seconds: float) -> None:
    done = rig.finished()

    async def scenario() -> tuple[Counter[str], list[int]]:
        work = asyncio.create_task(offer(rig, contents, rate, seconds, at_random=False))
        memory = await watched(rig, work)
        return await work, memory

    answers, memory = asyncio.run(scenario())
    accepted = answers["202"]
    began = time.monotonic()
    ended = rig.drain(done + accepted, 900)
    third = len(memory) // 3
    grown = np.median(memory[-third:]) / np.median(memory[third : 2 * third])
    say(what="overload", offered_per_s=rate, answers=dict(answers), drained_s=ended - began, memory_growth=grown,
        memory_mib=max(memory) / 2**20, states={one.value: number for one, number in rig.states().items()})  # fmt: skip
    assert set(answers) <= {"202", "503 with Retry-After", "429 with Retry-After"}, answers
    assert set(rig.states()) == {JobState.DONE}
    assert grown < GROWTH


def load(rig: Rig, contents: Iterator[bytes], rate: float, seconds: float) -> None:
    with rig.database.read() as session:
        since = now(session)
    done = rig.finished()
    answers = asyncio.run(offer(rig, contents, rate, seconds, at_random=True))
    rig.drain(done + answers["202"], 300)
    found = rig.latency(since)
    say(what="load", offered_per_s=rate, answers=dict(answers), p50_s=found.p50, p95_s=found.p95, p99_s=found.p99)
    assert set(answers) == {"202"}, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0, help="of overload")
    parser.add_argument("--load-minutes", type=float, default=2.0, help="at 0.8 of capacity")
    parser.add_argument("--wafers", type=int, default=300, help="that capacity is measured with")
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        settings: dict[str, object] = {"port": 18_080, "queue_limit": 500}
        if arguments.postgres:
            server = Postgres()
            settings["database_url"] = server.create_empty()
        make_bundle(folder / "bundle", (0,), arguments.bundle)
        contents = wafers(folder / "wafers", DEFECTS)
        with service(folder / "home", folder / "bundle", **settings) as rig:
            before = rig.usage()
            rate = capacity(rig, contents, arguments.wafers)
            cpu_s = (rig.usage().cpu_s - before.cpu_s) / (arguments.wafers + WARM_UP)
            say(what="capacity", wafers_per_s=rate, wafers_per_day=rate * 86_400, cpu_ms_per_wafer=1000 * cpu_s)
            load(rig, contents, LOAD * rate, arguments.load_minutes * 60)
            costs = queueing.measure(arguments.bundle, (0,), folder / "parts")
            could = queueing.capacity(costs, queueing.Line())
            played = queueing.simulate(costs, queueing.Line(), LOAD * rate)
            say(what="predicted from the parts", capacity_per_s=could, costs=vars(costs), **vars(played))
            played = queueing.simulate(queueing.slowed(costs, could / rate), queueing.Line(), LOAD * rate)
            say(what="predicted from the parts, as slow as capacity says", factor=could / rate, **vars(played))
            overload(rig, contents, OVERLOAD * rate, arguments.minutes * 60)


if __name__ == "__main__":
    main()
