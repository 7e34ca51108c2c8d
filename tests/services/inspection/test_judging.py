"""Deep levels and large images are judged in blocks: the same verdicts as window by window, whatever the blocks."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain import blocks
from models.domain.capture import Capture, CaptureKind
from models.domain.patch import Patch
from models.domain.scenes import Patches, Scenes
from models.domain.tiling import Window
from models.domain.verdict import Predictions, Reason, Verdict
from models.drawing import drawn
from models.manifest import BundleManifest
from models.recipe import CountRecipe
from pipelines.ingestion import PointMap, PointReader
from services.inspection import inspect, judging
from tests.services.inspection.faking import STRANGE, FakeClassifier, manifest

DENSE = manifest(levels=(0, -1), dense=1)
COUNT = manifest(levels=(-1,), dense=1, count=CountRecipe(presence=0.5, radius=3))
TILE = 4


@dataclass(frozen=True)
class PixelReader:
    """An image in memory; what is beyond it, and what is 255, nobody inspected: it is read as zeros."""

    pixels: np.ndarray
    warnings: tuple[()] = ()
    format: str = ""

    @property
    def capture(self) -> Capture:
        height, width = self.pixels.shape
        return Capture(id="a" * 64, kind=CaptureKind.IMAGE, name="x", height=height, width=width)

    def read(self, window: Window) -> Patch:
        scale = round(self.pixels.shape[0] / window.level.height)
        seen = np.zeros((window.height, window.width), np.uint8)
        shown = np.zeros((window.height, window.width), bool)
        part = self.pixels[::scale, ::scale][window.top : window.bottom, window.left : window.right]
        rows, columns = part.shape
        seen[:rows, :columns] = np.where(part == 255, 0, part)
        shown[:rows, :columns] = part != 255
        return Patch(window, seen[:, :, None], float(shown.mean()))


def scene(height: int, width: int, seed: int = 0) -> PixelReader:
    return PixelReader(np.random.default_rng(seed).integers(0, 3, (height, width)).astype(np.uint8))


@settings(deadline=None, max_examples=30)
@given(st.integers(5, 24), st.integers(5, 24), st.sampled_from([1, 2, 3, 4]), st.integers(4, 12), st.integers(0, 9))
def test_blocks_say_what_windows_say(height: int, width: int, step: int, largest: int, seed: int) -> None:
    reader = scene(height, width, seed)
    dense = FakeClassifier(manifest(levels=(0, -1), dense=step))
    single = FakeClassifier(replace_overlap(step))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "blocks", lambda level, tile, step: blocks.blocks(level, tile, step, largest))
        found = inspect(reader, dense)
    expected = inspect(reader, single)
    assert sorted(found.verdicts, key=place) == sorted(expected.verdicts, key=place)
    assert found.windows == len(expected.verdicts)


def replace_overlap(step: int) -> BundleManifest:
    base = manifest(levels=(0, -1))
    tiling = base.recipe.tiling.model_copy(update={"overlap": TILE - step})
    return replace(base, recipe=base.recipe.model_copy(update={"tiling": tiling}))


def place(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.window.level.index, verdict.window.top, verdict.window.left


@pytest.mark.parametrize("done", [0, 1, 2, 30, 100, 170])
def test_a_retry_goes_on_within_blocks(done: int) -> None:
    reader = scene(16, 16)
    whole = inspect(reader, FakeClassifier(DENSE))
    assert len(whole.verdicts) == 1 + 13 * 13
    again = inspect(reader, FakeClassifier(DENSE), done=whole.verdicts[:done])
    assert again.verdicts == whole.verdicts
    assert again.looks is not None
    assert [one.label for one in again.heat] == ["Scratch", "Ring", None], "of the densely read level alone"
    for one, expected in zip(again.heat, whole.heat, strict=True):
        assert one.values.shape == (13, 13)
        np.testing.assert_array_equal(one.values, expected.values)


def test_what_is_read_window_by_window_has_no_heat() -> None:
    assert inspect(scene(16, 16), FakeClassifier(manifest(levels=(0, -1)))).heat == ()


def test_windows_of_a_block_that_nobody_inspected_are_not_judged() -> None:
    reader = scene(16, 16)
    reader.pixels[:] = 1
    reader.pixels[:8, :] = 255
    found = inspect(reader, FakeClassifier(manifest(levels=(-1,), dense=1)))
    for verdict in found.verdicts:
        assert (verdict.reason is Reason.NOT_INSPECTED) == (verdict.window.bottom <= 8)


def test_an_image_nobody_inspected_is_not_asked_about() -> None:
    reader = scene(16, 16)
    reader.pixels[:] = 255
    classifier = FakeClassifier(manifest(levels=(-1,), dense=1))
    assert {one.reason for one in inspect(reader, classifier).verdicts} == {Reason.NOT_INSPECTED}
    assert classifier.batches == []


def test_the_levels_of_a_wafer_are_asked_about_together_as_scenes() -> None:
    """And the verdicts are those of its pixels."""

    @dataclass
    class Recording(FakeClassifier):
        asked: list[type] = field(default_factory=list)

        def classify(self, patches: Patches) -> Predictions:
            self.asked.append(type(patches))
            return super().classify(drawn(patches, torch.from_numpy).numpy())

    base = manifest(channels=2)
    tiling = base.recipe.tiling.model_copy(update={"tile": 32, "levels": (0, 1, 2)})
    wafer_recipe = base.recipe.model_copy(update={"kind": CaptureKind.WAFER, "tiling": tiling})
    x, y = np.random.default_rng(0).uniform(-1e5, 1e5, (2, 30)).astype(np.float32)
    capture = Capture(id="a" * 64, kind=CaptureKind.WAFER, name="w", height=3e5, width=3e5)
    reader = PointReader(capture, PointMap(x, y, 3e5))
    classifier = Recording(replace(base, recipe=wafer_recipe))
    found = inspect(reader, classifier)
    assert classifier.asked == [Scenes]
    by_hand = FakeClassifier(classifier.manifest).classify(
        np.stack([reader.read(one.window).pixels for one in found.verdicts if one.reason is not Reason.NOT_INSPECTED])
    )
    stated = [one.confidence for one in found.verdicts if one.reason is not Reason.NOT_INSPECTED]
    np.testing.assert_allclose(stated, by_hand.probabilities.max(1))
    assert len(found.verdicts) == 1 + 4 + 16


def test_objects_are_stated_and_counted() -> None:
    reader = scene(40, 40)
    reader.pixels[:] = 0
    for top, left, label in [(5, 5, 1), (20, 30, 1), (30, 8, 2)]:
        reader.pixels[top, left] = label
    reader.pixels[35, 20] = STRANGE
    found = inspect(reader, FakeClassifier(COUNT))
    assert found.counts == {"Scratch": 2, "Ring": 1}
    assert found.counted
    assert found.windows == 37 * 37
    assert {(one.label, one.window.top, one.window.left) for one in found.verdicts} == {
        ("Scratch", 5, 5), ("Scratch", 20, 30), ("Ring", 30, 8),
    }  # fmt: skip
    scratch, ring, unknown = found.heat
    assert [one.values[20, 30] for one in (scratch, ring, unknown)] == [229, 0, 0], "0.9 of 255"
    assert ring.values[30, 8] == 229
    assert np.argwhere(unknown.values).tolist() == [[35, 20]]
    (spot,) = found.spots  # strange ground is no object and no reason to call the capture unknown; people may name it
    assert (spot.verdict.window.top, spot.verdict.window.left, spot.verdict.reason) == (35, 20, Reason.NOVEL)
    assert spot.looks.embedding.shape == (2,)
    assert not found.verdict.is_unknown
    cut_out = spot.cut_out(reader.capture)
    assert (cut_out.height, cut_out.width, cut_out.kind) == (TILE, TILE, reader.capture.kind)
    again = inspect(reader, FakeClassifier(COUNT), done=[])
    assert [one.cut_out(reader.capture) for one in again.spots] == [cut_out]


def test_people_are_asked_about_no_more_places_than_the_recipe_says() -> None:
    reader = scene(40, 40)
    reader.pixels[:] = STRANGE
    few = manifest(levels=(-1,), dense=1, count=CountRecipe(radius=2, strangers=3))
    assert len(inspect(reader, FakeClassifier(few)).spots) == 3
    whole = manifest(levels=(0, -1), dense=1, count=CountRecipe(radius=2))
    assert inspect(reader, FakeClassifier(whole)).spots == (), "a capture seen whole is named as a whole"


def test_where_nothing_is_the_closest_call_is_stated_and_not_counted() -> None:
    reader = scene(12, 12)
    reader.pixels[:] = 0
    found = inspect(reader, FakeClassifier(COUNT))
    assert found.counts == {}
    assert [one.label for one in found.verdicts] == ["Normal"]
    assert found.verdict.label == "Normal"
