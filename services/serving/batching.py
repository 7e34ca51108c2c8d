"""A micro-batcher: what arrives while the device is busy becomes its next batch.

No timer: an idle device starts at once, a busy one finds all that waited. `serve.batch` forms a batch before a slot is
free, which at 32 clients gave a third of this batcher's mean batch size.

One batcher serves one device and all models on it. Calls are cut into pieces of the batch size the model works best at,
so that urgent ones pass long ones, and a call that nobody waits for any more costs nothing.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from models.domain.errors import RetryableError
from models.domain.scenes import Patches, joined
from models.domain.verdict import Predictions


class Rank(IntEnum):
    """Who goes first; lower ones do."""

    PROBE = 0
    """Health checks: a replica that is merely busy must not be taken for a dead one."""
    NORMAL = 1
    SHADOW = 2
    """Challengers: only what the device does in between."""


class Model(Protocol):
    """What is batched for."""

    @property
    def batch(self) -> int:
        """Patches at once at which it works best now."""

    def predict(self, patches: Patches, /) -> Predictions:
        """Predictions of patches, in their order; blocks."""


@dataclass(order=True, slots=True)
class _Piece:
    rank: Rank
    arrival: int
    model: Model = field(compare=False)
    patches: Patches = field(compare=False)
    deadline: float = field(compare=False)
    answer: "asyncio.Future[Predictions]" = field(compare=False)


class MicroBatcher:
    """Turns many calls into few batches for one device; lives in one event loop."""

    def __init__(
        self, *, slots: int = 1, queue_patches: int = 16_384, on_batch: Callable[[int], None] = lambda _: None
    ) -> None:
        """Nothing runs until the first call.

        Args:
            slots: batches under way at once: one on a CPU, two on a GPU, where one is copied while one is computed.
            queue_patches: back-pressure: above this many waiting patches a call is refused.
            on_batch: told the size of each batch.
        """
        self._slots = slots
        self._queue_patches = queue_patches
        self._on_batch = on_batch
        self._waiting: list[_Piece] = []
        self._waiting_patches = 0
        self._arrivals = itertools.count()
        self._runners: set[asyncio.Task[None] | None] = set()
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="model")

    async def submit(
        self,
        model: Model,
        patches: Patches,
        *,
        rank: Rank = Rank.NORMAL,
        timeout_s: float = float("inf"),
    ) -> Predictions:
        """Predict patches, batched with whoever else waits for the same model.

        Args:
            model: that predicts.
            patches: one or more.
            rank: who goes first.
            timeout_s: after that the caller is gone: what is not begun then is dropped.

        Raises:
            RetryableError: the queue is full, or the time is up.
        """
        if self._waiting and self._waiting_patches + len(patches) > self._queue_patches and rank is not Rank.PROBE:
            raise RetryableError(
                "classifier is overloaded",
                expected=f"at most {self._queue_patches} waiting patches",
                got=str(self._waiting_patches + len(patches)),
                code="overloaded",
            )
        loop = asyncio.get_running_loop()
        size = max(1, model.batch)
        pieces = [
            _Piece(
                rank,
                next(self._arrivals),
                model,
                patches[begin : begin + size],
                loop.time() + timeout_s,
                loop.create_future(),
            )
            for begin in range(0, len(patches), size)
        ]
        for piece in pieces:
            heapq.heappush(self._waiting, piece)
        self._waiting_patches += len(patches)
        self._start_runners()
        answers = asyncio.gather(*(piece.answer for piece in pieces))  # cancelled with the caller, piece by piece
        return Predictions.joined(await answers)

    def _start_runners(self) -> None:
        for _ in range(min(self._slots - len(self._runners), len(self._waiting))):
            self._runners.add(asyncio.create_task(self._run()))

    async def _run(self) -> None:
        loop, runner = asyncio.get_running_loop(), asyncio.current_task()
        while batch := self._next_batch(loop.time()):
            try:
                await self._answer(batch)
            except Exception as error:  # noqa: BLE001 - handed to every caller of the batch, none is swallowed
                for piece in batch:
                    if not piece.answer.done():
                        piece.answer.set_exception(error)
        # Here and not when the task is done, which is a step of the loop later: a call in between would count on it.
        self._runners.discard(runner)

    async def _answer(self, batch: list[_Piece]) -> None:
        patches = joined([piece.patches for piece in batch])
        self._on_batch(len(patches))
        loop = asyncio.get_running_loop()
        predictions = await loop.run_in_executor(self._threads, batch[0].model.predict, patches)
        start = 0
        for piece in batch:
            part = slice(start, start := start + len(piece.patches))
            if not piece.answer.done():  # the caller may have given up meanwhile
                piece.answer.set_result(predictions[part])

    def _next_batch(self, now: float) -> list[_Piece]:
        """Pieces of one model, rank, form and shape, in order of arrival, up to the model's batch size."""
        batch: list[_Piece] = []
        size = 0
        while self._waiting:
            piece = self._waiting[0]
            if not self._is_wanted(piece, now):
                self._pop()
                continue
            if batch and (not _fit(batch[0], piece) or size + len(piece.patches) > batch[0].model.batch):
                break
            batch.append(self._pop())
            size += len(piece.patches)
        return batch

    def _is_wanted(self, piece: _Piece, now: float) -> bool:
        if not piece.answer.done() and piece.deadline <= now:
            piece.answer.set_exception(
                RetryableError("classifier was too slow", got="the caller's time is up", code="too-slow")
            )
        return not piece.answer.done()

    def _pop(self) -> _Piece:
        piece = heapq.heappop(self._waiting)
        self._waiting_patches -= len(piece.patches)
        return piece

    def close(self) -> None:
        """Let the running batches finish and free the threads."""
        self._threads.shutdown(wait=False)


def _fit(one: _Piece, other: _Piece) -> bool:
    return (
        one.model is other.model
        and one.rank is other.rank
        and type(one.patches) is type(other.patches)
        and one.patches.shape[1:] == other.patches.shape[1:]
    )
