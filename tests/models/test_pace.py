"""The batch size a bundle works best at: the smallest that is nearly the fastest, and never one that does not fit."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models import pace
from models.bundle import Bundle
from models.classifier import Classifier
from models.domain.verdict import Predictions
from models.pace import NEARLY, SIZES_CPU, tune

MakeBundle = Callable[..., Bundle]


class Timed:
    """A classifier and the clock it moves: a call costs `call_s`, a patch `patch_s`, and `fits` patches have room."""

    def __init__(self, real: Classifier, call_s: float, patch_s: float, fits: int = 10**6) -> None:
        self.manifest, self.device = real.manifest, torch.device("cpu")
        self.batch, self.now = 0, 0.0
        self._call_s, self._patch_s, self._fits = call_s, patch_s, fits

    def predict(self, pixels: NDArray[np.uint8]) -> Predictions | None:
        if len(pixels) > self._fits:
            self.batch = self._fits  # as `Classifier` does when it runs out of memory
        self.now += self._call_s + self._patch_s * len(pixels)
        return None


@pytest.fixture
def timed(make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Timed]:
    real = Classifier(make_bundle())

    def make(**costs: float) -> Timed:
        made = Timed(real, **costs)  # type: ignore[arg-type]
        monkeypatch.setattr(pace.time, "perf_counter", lambda: made.now)
        return made

    return make


def test_where_a_patch_costs_the_same_in_every_batch_the_smallest_is_taken(timed: Callable[..., Timed]) -> None:
    model = timed(call_s=0.0, patch_s=0.001)
    assert tune(model) == pytest.approx(1000)  # type: ignore[arg-type]
    assert model.batch == 1


def test_where_a_call_is_dear_many_patches_share_it(timed: Callable[..., Timed]) -> None:
    model = timed(call_s=0.01, patch_s=0.0001)
    rate = tune(model)  # type: ignore[arg-type]
    assert model.batch == SIZES_CPU[-1]
    assert rate > NEARLY / (0.01 / 64 + 0.0001)


def test_a_size_without_room_is_not_taken(timed: Callable[..., Timed]) -> None:
    model = timed(call_s=0.01, patch_s=0.0001, fits=20)
    tune(model)  # type: ignore[arg-type]
    assert model.batch == 16


def test_time_up_is_no_error(timed: Callable[..., Timed]) -> None:
    model = timed(call_s=0.0, patch_s=2.0)
    assert tune(model) == pytest.approx(0.5)  # type: ignore[arg-type]


def test_a_real_one_is_ready_for_work_afterwards(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle())
    assert tune(classifier, budget_s=0.2) > 0
    assert classifier.batch in SIZES_CPU
