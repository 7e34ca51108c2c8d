"""The line as a queue: predicts waiting times from service times alone, and says which part saturates first.

    python -m benchmarks.queueing [--wafers-per-day 100000] [--fabs 50]

An inspector leases one job per thread; a job is CPU work of the inspector (parsing, drawing, database), then a batch on
the device that all threads share. Arrivals are Poisson. The simulation is discrete-event over those two stations and is
compared with the measured load test by `benchmarks.serving_load`.
"""

import heapq

import numpy as np

INSPECT_S = 0.020
"""CPU of an inspector for a wafer of 10,000 defects: parse, draw, five transactions. Measured, see ARCHITECTURE.md."""
POLL_S = 0.5
"""An idle inspector looks for work this often."""


def predict(
    capacity_per_s: float, offered_per_s: float, slots: int, seconds: float, seed: int = 0, inspect_s: float = INSPECT_S
) -> dict[str, float]:
    """Waiting times of a line that can do `capacity_per_s` and is offered less.

    Args:
        capacity_per_s: wafers a second out of a queue that is never empty, measured.
        offered_per_s: Poisson arrivals.
        slots: jobs under way at once.
        seconds: simulated.
        seed: of the arrivals.
        inspect_s: part of a job that is no work of the shared device.

    Returns:
        p50, p95 and p99 from arrival to verdict, seconds, and the device's load, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / offered_per_s, int(offered_per_s * seconds)))
    device_s = 1 / capacity_per_s
    free_at = [float(rng.uniform(0, POLL_S)) for _ in range(slots)]
    heapq.heapify(free_at)
    device_free = 0.0
    busy = 0.0
    waits = np.empty(len(arrivals))
    for number, arrival in enumerate(arrivals):
        free = heapq.heappop(free_at)
        # a slot that has been idle notices a job at its next look
        begin = free if free >= arrival else arrival + rng.uniform(0, POLL_S) / max(1, _idle(free_at, arrival) + 1)
        ready = begin + inspect_s
        start = max(ready, device_free)
        device_free = start + device_s
        busy += device_s
        waits[number] = device_free - arrival
        heapq.heappush(free_at, device_free)
    p50, p95, p99 = (float(np.quantile(waits, q)) for q in (0.5, 0.95, 0.99))
    return {"p50_s": p50, "p95_s": p95, "p99_s": p99, "device_load": busy / float(arrivals[-1])}


def _idle(free_at: list[float], moment: float) -> int:
    """Other slots that are idle at a moment: the first of them to look takes the job."""
    return sum(free < moment for free in free_at)
