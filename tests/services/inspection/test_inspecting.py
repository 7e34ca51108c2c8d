"""One capture to one inspection."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError
from models.domain.verdict import Reason, Verdict
from services.inspection import inspect
from services.inspection.judging import BATCH, BATCH_BYTES
from tests.services.inspection.faking import STRANGE, UNINSPECTED, FakeClassifier, image, manifest

ALL = manifest(levels=(-1,))


def test_every_window_is_judged_in_its_order() -> None:
    found = inspect(image("a" * 64, [0, 1, 2, STRANGE, UNINSPECTED], "x"), FakeClassifier(ALL))
    assert [(verdict.label, verdict.reason) for verdict in found.verdicts] == [
        ("Normal", Reason.CONFIDENT),
        ("Scratch", Reason.CONFIDENT),
        ("Ring", Reason.CONFIDENT),
        (None, Reason.NOVEL),
        (None, Reason.NOT_INSPECTED),
    ]
    assert [verdict.window.left for verdict in found.verdicts] == [0, 4, 8, 12, 16]
    assert (found.bundle, found.normal) == (ALL.ref, "Normal")
    assert found.started_at.tzinfo is not None
    assert found.duration_s > 0


def test_the_classifier_is_not_asked_about_what_nobody_inspected() -> None:
    classifier = FakeClassifier(ALL)
    inspect(image("a" * 64, [UNINSPECTED] * 3, "x"), classifier)
    assert classifier.batches == []


def test_long_captures_come_in_batches_that_fit_memory() -> None:
    classifier = FakeClassifier(ALL)
    inspect(image("a" * 64, [0] * (2 * BATCH + 5), "x"), classifier)
    assert classifier.batches == [BATCH, BATCH, 5]
    assert BATCH * ALL.recipe.tiling.tile**2 < BATCH_BYTES


def test_progress_is_told_and_can_stop() -> None:
    told: list[int] = []

    def progress(verdicts: Sequence[Verdict]) -> None:
        told.append(len(verdicts))
        if len(told) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        inspect(image("a" * 64, [0] * (3 * BATCH), "x"), FakeClassifier(ALL), progress=progress)
    assert told == [BATCH, 2 * BATCH]


def test_work_goes_on_behind_what_is_done() -> None:
    reader, whole = image("a" * 64, [index % 3 for index in range(2 * BATCH)], "x"), FakeClassifier(ALL)
    expected = inspect(reader, whole)
    rest = FakeClassifier(ALL)
    resumed = inspect(reader, rest, done=expected.verdicts[:300])
    assert resumed.verdicts == expected.verdicts
    assert sum(rest.batches) == 2 * BATCH - 300


def test_a_capture_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        inspect(image("a" * 64, [0], "x", channels=3), FakeClassifier(ALL))
    assert caught.value.code == "wrong-bundle"


def test_a_classifier_that_is_down_is_the_callers_to_handle() -> None:
    def down() -> None:
        raise RetryableError("down")

    with pytest.raises(RetryableError):
        inspect(image("a" * 64, [0], "x"), FakeClassifier(ALL, before=down))


def test_pixels_arrive_as_they_were_read() -> None:
    got: list[object] = []

    class Spy(FakeClassifier):
        def classify(self, pixels: np.ndarray) -> object:  # type: ignore[override]
            got.append((pixels.dtype, pixels.shape, pixels[:, 0, 0, 0].tolist()))
            return super().classify(pixels)

    inspect(image("a" * 64, [0, 1, UNINSPECTED, 2], "x"), Spy(ALL))
    assert got == [(np.uint8, (3, 4, 4, 1), [0, 1, 2])]


def test_looks_are_of_the_whole_capture() -> None:
    whole = inspect(image("a" * 64, [1], "x"), FakeClassifier())
    assert whole.looks is not None
    assert whole.looks.embedding.shape == (2,)
    assert inspect(image("a" * 64, [0, 1], "x"), FakeClassifier(ALL)).looks is None
    assert inspect(image("a" * 64, [UNINSPECTED], "x"), FakeClassifier()).looks is None


def test_a_retry_remembers_how_the_capture_looks() -> None:
    reader, recipe = image("a" * 64, [0, 1, 2, 0], "x"), manifest(levels=(0, -1))
    expected = inspect(reader, FakeClassifier(recipe))
    again = inspect(reader, FakeClassifier(recipe), done=expected.verdicts[:3])
    assert again.verdicts == expected.verdicts
    assert again.looks is not None
    assert expected.looks is not None
    np.testing.assert_array_equal(again.looks.embedding, expected.looks.embedding)
