"""The micro-batcher: same answers as one call each, fewer calls, urgent ones first, errors to those they concern."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.domain.errors import RetryableError
from models.domain.patch import Scene
from models.domain.scenes import Patches, Scenes
from models.domain.verdict import Predictions
from models.drawing import drawn
from services.serving.batching import MicroBatcher, Rank


class SlowModel:
    """Answers with each patch's mean; remembers its batches; waits for `go` before its first batch ends."""

    def __init__(self, batch: int = 256) -> None:
        self.batch = batch
        self.sizes: list[int] = []
        self.seen: list[int] = []
        self.go = threading.Event()

    def predict(self, pixels: NDArray[np.uint8]) -> Predictions:
        self.sizes.append(len(pixels))
        self.seen += [int(value) for value in pixels[:, 0, 0, 0]]
        self.go.wait(5)
        if (pixels == 255).all():
            raise ValueError("white noise")
        means = pixels.mean(axis=(1, 2, 3), dtype=np.float32)
        return Predictions(means[:, None], means[:, None], means)


def patches(value: int, count: int = 1, side: int = 4) -> NDArray[np.uint8]:
    return np.full((count, side, side, 2), value, np.uint8)


def run(model: SlowModel, *calls: Callable[[MicroBatcher], Awaitable[Predictions]], **options: int) -> list[object]:
    """Answers of calls that come while the first batch is under way."""

    async def scenario() -> list[object]:
        batcher = MicroBatcher(**options)
        tasks = []
        for call in calls:
            tasks.append(asyncio.ensure_future(call(batcher)))
            await asyncio.sleep(0.02)
        model.go.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    return asyncio.run(scenario())


def call(model: SlowModel, asked: Patches, **options: object) -> Callable[[MicroBatcher], Awaitable[object]]:
    return lambda batcher: batcher.submit(model, asked, **options)  # type: ignore[arg-type]


def test_scenes_share_a_batch_with_scenes_alone() -> None:
    class Drawing(SlowModel):
        def predict(self, patches: Patches) -> Predictions:
            return super().predict(drawn(patches, torch.from_numpy).numpy())

    def scenes(place: int, count: int) -> Scenes:
        return Scenes.of([Scene(np.full(5, place, np.int32), np.full((4, 4), 7, np.uint8))] * count)

    model = Drawing(batch=4)
    calls = [scenes(0, 1), scenes(1, 2), patches(3, 2), scenes(2, 6)]
    answers = run(model, *(call(model, one) for one in calls))
    assert model.sizes == [1, 2, 2, 4, 2]
    for asked, answer in zip(calls, answers, strict=True):
        means = drawn(asked, torch.from_numpy).numpy().mean(axis=(1, 2, 3), dtype=np.float32)
        np.testing.assert_array_equal(answer.novelty, means)  # type: ignore[attr-defined]


def test_a_call_in_the_very_step_in_which_the_last_batch_ends_is_answered() -> None:
    async def scenario() -> Predictions:
        batcher, model, late = MicroBatcher(), SlowModel(), []
        model.go.set()

        class Told(Predictions):
            def __getitem__(self, part: object) -> Predictions:
                if not late:  # the batcher is about to find nothing more to do
                    late.append(asyncio.ensure_future(batcher.submit(model, patches(7))))
                return super().__getitem__(part)  # type: ignore[index]

        class Telling(SlowModel):
            def predict(self, pixels: NDArray[np.uint8]) -> Predictions:
                told = model.predict(pixels)
                return Told(told.probabilities, told.embeddings, told.novelty)

        await batcher.submit(Telling(), patches(1))
        return await asyncio.wait_for(late[0], 5)

    assert asyncio.run(scenario()).novelty == [7]


def test_calls_that_wait_share_a_batch_and_get_their_own_answers() -> None:
    model = SlowModel()
    answers = run(model, *(call(model, patches(value, value)) for value in (1, 2, 3, 4)))
    assert model.sizes == [1, 2 + 3 + 4]
    for value, answer in zip((1, 2, 3, 4), answers, strict=True):
        assert isinstance(answer, Predictions)
        np.testing.assert_array_equal(answer.novelty, np.full(value, value, np.float32))


def test_long_calls_are_cut_and_put_together_again() -> None:
    model = SlowModel(batch=4)
    pixels = np.concatenate([patches(value) for value in range(11)])
    (answer,) = run(model, call(model, pixels))
    assert isinstance(answer, Predictions)
    np.testing.assert_array_equal(answer.novelty, np.arange(11, dtype=np.float32))
    assert model.sizes == [4, 4, 3]


def test_shapes_and_models_are_not_mixed() -> None:
    one, other = SlowModel(), SlowModel()
    other.go.set()
    answers = run(
        one,
        call(one, patches(1)),
        call(one, patches(2, side=8)),
        call(other, patches(3)),
        call(one, patches(4, side=8)),
    )
    assert all(isinstance(answer, Predictions) for answer in answers)
    assert (one.sizes, other.sizes) == ([1, 1, 1], [1])


def test_a_challenger_gives_way_and_a_probe_goes_first() -> None:
    model = SlowModel(batch=1)
    run(
        model,
        call(model, patches(0)),
        call(model, patches(30, 3), rank=Rank.SHADOW),
        call(model, patches(10)),
        call(model, patches(20), rank=Rank.PROBE),
    )
    assert model.seen == [0, 20, 10, 30, 30, 30]


def test_a_failing_batch_tells_its_callers_and_the_next_one_works() -> None:
    model = SlowModel(batch=1)
    answers = run(model, call(model, patches(255)), call(model, patches(7)))
    assert isinstance(answers[0], ValueError)
    assert isinstance(answers[1], Predictions)


def test_a_full_queue_refuses_but_not_a_health_check() -> None:
    model = SlowModel(batch=1)
    calls = [call(model, patches(value, 2)) for value in range(5)]
    answers = run(model, *calls, call(model, patches(9), rank=Rank.PROBE), queue_patches=4)
    refused = [answer for answer in answers if isinstance(answer, RetryableError)]
    assert refused
    assert {error.code for error in refused} == {"overloaded"}
    assert isinstance(answers[-1], Predictions)


def test_an_oversized_call_is_taken_when_nothing_waits() -> None:
    model = SlowModel(batch=2)
    (answer,) = run(model, call(model, patches(1, 9)), queue_patches=4)
    assert isinstance(answer, Predictions)
    assert len(answer) == 9


def test_what_nobody_waits_for_any_more_is_not_computed() -> None:
    model = SlowModel(batch=1)
    answers = run(model, call(model, patches(1)), call(model, patches(2), timeout_s=0.001), call(model, patches(3)))
    assert isinstance(answers[1], RetryableError)
    assert answers[1].code == "too-slow"
    assert model.seen == [1, 3]


@pytest.mark.parametrize("cancelled", [0, 1])
def test_a_caller_that_gives_up_does_not_disturb_the_others(cancelled: int) -> None:
    async def scenario() -> Predictions:
        model = SlowModel()
        batcher = MicroBatcher()
        tasks = [asyncio.create_task(batcher.submit(model, patches(v))) for v in (5, 6)]
        await asyncio.sleep(0.05)
        tasks[cancelled].cancel()
        model.go.set()
        return await tasks[1 - cancelled]

    assert len(asyncio.run(scenario())) == 1


def test_two_slots_work_on_two_batches_at_once() -> None:
    class Meeting(SlowModel):
        """Ends its batch only when two are under way."""

        barrier = threading.Barrier(2, timeout=5)

        def predict(self, pixels: NDArray[np.uint8]) -> Predictions:
            self.barrier.wait()
            return super().predict(pixels)

    model = Meeting(batch=1)
    model.go.set()
    answers = run(model, call(model, patches(1)), call(model, patches(2)), slots=2)
    assert all(isinstance(answer, Predictions) for answer in answers)
