"""Ray for bulk work: the cluster that RAY_ADDRESS names, else one of our own on this machine for that while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray


@contextmanager
def ray_cluster(workers: int) -> Iterator[bool]:
    """Be connected to Ray; says whether there is a GPU for each worker.

    A connection that was there before is used and left alone.

    Args:
        workers: processes that will be asked for; a Ray of our own lets them share this machine's cores.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # at Ray's own 15 workers starve behind whatever else runs
    own = not ray.is_initialized()
    if own:
        options: dict[str, Any] = {"address": os.environ.get("RAY_ADDRESS", "local"), "log_to_driver": False}
        if options["address"] == "local":
            options |= {"include_dashboard": False, "num_cpus": max(workers + 1, os.cpu_count() or 1)}
        ray.init(**options)
    try:
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        yield resources.get("GPU", 0) >= workers
    finally:
        if own:
            ray.shutdown()
