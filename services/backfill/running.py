"""Runs a planned backfill: in this process, or on the workers of a Ray cluster with Ray Data. The same code judges."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from services.backfill.judging import ShardJudge
from services.backfill.plan import Plan

Progress = Callable[[int, int], None]
"""Told how many shards are done, and of how many."""


def backfill(plan: Plan, workers: int = 0, progress: Progress = lambda _done, _total: None) -> int:
    """Judge what is left; how many shards that were.

    Args:
        plan: what to do.
        workers: processes of Ray Data, on the cluster that RAY_ADDRESS names or on a Ray of its own; each takes a GPU
            where there are enough. 0 = this process alone, which is the fastest way on one machine without a GPU.
        progress: told after each shard.

    Raises:
        ConfigurationError: the bundle or the reading options are not usable.
    """
    left = plan.left
    before = plan.shards - len(left)
    progress(before, plan.shards)
    done = _apart(plan, left, workers) if workers else _here(plan, left)
    for count, _ in enumerate(done, start=1):
        progress(before + count, plan.shards)
    return len(left)


def _here(plan: Plan, left: tuple[int, ...]) -> Iterator[object]:
    if not left:
        return
    judge = ShardJudge(plan)
    try:
        for number in left:
            yield judge.judge(number)
    finally:
        judge.close()


def _apart(plan: Plan, left: tuple[int, ...], workers: int) -> Iterator[object]:
    if not left:
        return
    import ray.data  # noqa: PLC0415 - seconds to import, and only needed here

    from pipelines.ray_cluster import ray_cluster  # noqa: PLC0415

    with ray_cluster(workers) as has_gpus:
        ray.data.DataContext.get_current().enable_progress_bars = False
        shards = ray.data.from_items([{"shard": number} for number in left], override_num_blocks=len(left))
        judged = shards.map_batches(
            _Worker,
            fn_constructor_args=(plan,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=1 if has_gpus else 0,
        )
        yield from judged.iter_rows()


class _Worker:
    """What each process of Ray Data holds."""

    def __init__(self, plan: Plan) -> None:
        self._judge = ShardJudge(plan)

    def __call__(self, batch: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        return {"rows": np.array([self._judge.judge(int(number)) for number in batch["shard"]])}
