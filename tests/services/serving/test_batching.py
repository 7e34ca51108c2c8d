"""The micro-batcher: same answers as one call each, fewer calls, errors to those they concern."""

import asyncio
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from models.domain.errors import RetryableError
from models.domain.verdict import Predictions
from services.serving.batching import MicroBatcher


class SlowModel:
    """Answers with each patch's mean; remembers the batch sizes; waits for `go` before its first batch ends."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()

    def __call__(self, pixels: NDArray[np.uint8]) -> Predictions:
        self.sizes.append(len(pixels))
        self.go.wait(5)
        if (pixels == 255).all():
            raise ValueError("white noise")
        means = pixels.mean(axis=(1, 2, 3), dtype=np.float32)
        return Predictions(means[:, None], means[:, None], means)


def patches(value: int, count: int = 1, side: int = 4) -> NDArray[np.uint8]:
    return np.full((count, side, side, 2), value, np.uint8)


async def submit_all(batcher: MicroBatcher, model: SlowModel, *calls: NDArray[np.uint8]) -> list[object]:
    tasks = [asyncio.create_task(batcher.submit(pixels)) for pixels in calls]
    await asyncio.sleep(0.05)
    model.go.set()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def test_calls_that_wait_share_a_batch_and_get_their_own_answers() -> None:
    model = SlowModel()
    answers = asyncio.run(submit_all(MicroBatcher(model), model, *(patches(v, count=v) for v in (1, 2, 3, 4))))
    assert model.sizes == [1 + 2 + 3 + 4] or model.sizes == [1, 2 + 3 + 4]
    for value, answer in zip((1, 2, 3, 4), answers, strict=True):
        assert isinstance(answer, Predictions)
        np.testing.assert_array_equal(answer.novelty, np.full(value, value, np.float32))


def test_batch_size_is_respected_and_shapes_are_not_mixed() -> None:
    model = SlowModel()
    calls = (patches(1, 3), patches(2, 3), patches(3, 3), patches(4, 1, side=8))
    asyncio.run(submit_all(MicroBatcher(model, batch_patches=6), model, *calls))
    assert sum(model.sizes) == 10
    assert max(model.sizes) <= 6
    assert model.sizes[-1] == 1


def test_a_failing_batch_tells_its_callers_and_the_next_one_works() -> None:
    model = SlowModel()
    answers = asyncio.run(submit_all(MicroBatcher(model, batch_patches=1), model, patches(255), patches(7)))
    assert isinstance(answers[0], ValueError)
    assert isinstance(answers[1], Predictions)


def test_a_full_queue_refuses() -> None:
    model = SlowModel()
    batcher = MicroBatcher(model, batch_patches=1, queue_patches=4)
    answers = asyncio.run(submit_all(batcher, model, *(patches(v, 2) for v in range(5))))
    refused = [a for a in answers if isinstance(a, RetryableError)]
    assert refused
    assert refused[0].code == "overloaded"
    assert len(refused) + sum(isinstance(a, Predictions) for a in answers) == 5


def test_an_oversized_call_is_taken_when_nothing_waits() -> None:
    model = SlowModel()
    model.go.set()
    answer = asyncio.run(MicroBatcher(model, batch_patches=2, queue_patches=4).submit(patches(1, 9)))
    assert len(answer) == 9


@pytest.mark.parametrize("cancelled", [0, 1])
def test_a_caller_that_gives_up_does_not_disturb_the_others(cancelled: int) -> None:
    async def scenario() -> Predictions:
        model = SlowModel()
        batcher = MicroBatcher(model)
        tasks = [asyncio.create_task(batcher.submit(patches(v))) for v in (5, 6)]
        await asyncio.sleep(0.05)
        tasks[cancelled].cancel()
        model.go.set()
        return await tasks[1 - cancelled]

    assert len(asyncio.run(scenario())) == 1
