"""The classifier: the same answer alone or in a crowd, in any thread, and when memory runs out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bundle import Bundle
from models.classifier import Classifier
from models.domain.errors import ConfigurationError, InputError
from models.domain.patch import Scene
from models.domain.scenes import Scenes
from models.domain.verdict import Labels
from models.network import Outputs
from models.views import SYMMETRIES

MakeBundle = Callable[..., Bundle]


def patches(count: int, seed: int = 0, tile: int = 32, channels: int = 2) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, tile, tile, channels), np.uint8)


def same(one: object, other: object, tolerance: float = 1e-5) -> None:
    for column in ("probabilities", "embeddings", "novelty"):
        np.testing.assert_allclose(
            getattr(one, column), getattr(other, column), rtol=tolerance, atol=tolerance, err_msg=column
        )


def test_predictions_have_the_shapes_they_promise(make_bundle: MakeBundle) -> None:
    predictions = Classifier(make_bundle()).predict(patches(5))
    assert predictions.probabilities.shape == (5, 3)
    assert predictions.embeddings.shape == (5, 6)
    assert predictions.novelty.shape == (5,)
    assert {a.dtype for a in (predictions.probabilities, predictions.embeddings, predictions.novelty)} == {
        np.dtype(np.float32)
    }
    np.testing.assert_allclose(predictions.probabilities.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("views", [("identity",), SYMMETRIES])
def test_a_patch_is_judged_the_same_alone_and_in_a_crowd(make_bundle: MakeBundle, views: tuple[str, ...]) -> None:
    classifier = Classifier(make_bundle(views=views))
    pixels = patches(150)
    together = classifier.predict(pixels)
    classifier.batch = 7
    same(together, classifier.predict(pixels))
    one = classifier.predict(pixels[70:71])
    np.testing.assert_allclose(one.probabilities[0], together.probabilities[70], atol=1e-5)
    np.testing.assert_allclose(one.novelty[0], together.novelty[70], atol=1e-4)


def test_all_eight_views_make_turning_irrelevant(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle(views=SYMMETRIES))
    pixels = patches(3)
    same(classifier.predict(pixels), classifier.predict(np.rot90(pixels, axes=(1, 2))[:, :, ::-1]))


def test_adaptive_views_are_used_only_with_a_cutoff_in_the_bundle(make_bundle: MakeBundle) -> None:
    pixels = patches(40)
    full = Classifier(make_bundle(views=SYMMETRIES)).predict(pixels)
    never = Classifier(make_bundle(views=SYMMETRIES, adaptive_views=True)).predict(pixels)
    always = Classifier(make_bundle(views=SYMMETRIES, adaptive_views=True, view_cutoff=1.0)).predict(pixels)
    first = Classifier(make_bundle(views=SYMMETRIES, adaptive_views=True, view_cutoff=0.0)).predict(pixels)
    same(full, never)
    assert np.abs(always.probabilities - full.probabilities).max() < 0.2
    same(first, Classifier(make_bundle()).predict(pixels))


def test_a_temperature_flattens(make_bundle: MakeBundle) -> None:
    sharp = Classifier(make_bundle(temperature=0.5)).predict(patches(9)).probabilities
    flat = Classifier(make_bundle(temperature=5.0)).predict(patches(9)).probabilities
    assert (sharp.max(1) > flat.max(1)).all()
    np.testing.assert_array_equal(sharp.argmax(1), flat.argmax(1))


def test_several_patterns_on_one_patch(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(labels=Labels(("a", "b", "c"), exclusive=False), views=SYMMETRIES[:4])
    probabilities = Classifier(bundle).predict(patches(20)).probabilities
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert not np.allclose(probabilities.sum(1), 1)


def test_nothing_in_nothing_out(make_bundle: MakeBundle) -> None:
    predictions = Classifier(make_bundle()).predict(patches(0))
    assert len(predictions) == 0
    assert (predictions.probabilities.shape, predictions.embeddings.shape) == ((0, 3), (0, 6))


@pytest.mark.parametrize(
    "wrong",
    [patches(2, tile=16), patches(2, channels=3), patches(2).astype(np.float32), patches(2)[0]],
    ids=["size", "channels", "dtype", "no batch"],
)
def test_other_patches_are_refused(make_bundle: MakeBundle, wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="do not fit the bundle"):
        Classifier(make_bundle()).predict(wrong)


def test_read_only_and_strided_patches_are_fine_and_stay_as_they_are(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle())
    pixels = patches(8)
    frozen = np.frombuffer(pixels.tobytes(), np.uint8).reshape(pixels.shape)
    same(classifier.predict(pixels), classifier.predict(frozen))
    same(classifier.predict(pixels[::2]), classifier.predict(np.ascontiguousarray(pixels[::2])))
    np.testing.assert_array_equal(pixels, patches(8))


class Cramped(torch.nn.Module):
    """A network on a device without room for more than a few patches."""

    def __init__(self, network: torch.nn.Module, room: int) -> None:
        super().__init__()
        self.network, self.room, self.refused = network, room, 0

    def forward(self, inputs: torch.Tensor) -> Outputs:
        if len(inputs) > self.room:
            self.refused += 1
            raise torch.OutOfMemoryError("no room")
        return self.network(inputs)  # type: ignore[no-any-return]


def test_a_batch_that_does_not_fit_is_split(make_bundle: MakeBundle) -> None:
    roomy, cramped = Classifier(make_bundle()), Classifier(make_bundle())
    narrow = Cramped(cramped.network, room=10)
    cramped.network = narrow  # type: ignore[assignment]
    pixels = patches(100)
    same(roomy.predict(pixels), cramped.predict(pixels))
    assert cramped.batch == 8
    refused = narrow.refused
    cramped.predict(pixels)
    assert narrow.refused == refused, "the size that fits was not remembered"


def test_scenes_are_judged_as_their_pixels(make_bundle: MakeBundle) -> None:
    rng = np.random.default_rng(0)
    scenes = [
        Scene(rng.integers(0, 1024, rng.integers(0, 90), np.int32), np.full((32, 32), rng.integers(256), np.uint8))
        for _ in range(100)
    ]
    classifier = Classifier(make_bundle(views=SYMMETRIES[:3]))
    expected = classifier.predict(np.stack([scene.drawn() for scene in scenes]))
    for room in (100, 10):
        classifier.network = Cramped(classifier.network, room)  # type: ignore[assignment]
        same(classifier.predict(Scenes.of(scenes)), expected)


def test_no_room_for_one_patch_is_an_error(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle())
    classifier.network = Cramped(classifier.network, room=0)  # type: ignore[assignment]
    with pytest.raises(torch.OutOfMemoryError):
        classifier.predict(patches(3))


def test_threads_do_not_disturb_each_other(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle(views=SYMMETRIES[:3]))
    batches = [patches(5 + seed, seed) for seed in range(12)]
    expected = [classifier.predict(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(classifier.predict, batches), strict=True):
            same(one, other)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_the_recipes_choice_and_changes_little(make_bundle: MakeBundle, precision: str) -> None:
    pixels = patches(64)
    full = Classifier(make_bundle(views=SYMMETRIES[:2])).predict(pixels)
    half = Classifier(make_bundle(views=SYMMETRIES[:2], precision=precision)).predict(pixels)
    assert half.probabilities.dtype == np.float32
    assert 0 < np.abs(full.probabilities - half.probabilities).max() < 0.02
    np.testing.assert_allclose(half.novelty, full.novelty, atol=0.05)


def test_the_network_lies_in_memory_as_its_pixels_do(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle())
    kernels = [one.weight for one in classifier.network.modules() if isinstance(one, torch.nn.Conv2d)]
    assert kernels
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in kernels)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_threads_on_a_gpu_get_what_the_cpu_says(make_bundle: MakeBundle, precision: str) -> None:
    """Page-locked copies on a stream for each thread: nobody sees another's pixels, nor half of its own."""
    bundle = make_bundle(views=SYMMETRIES, precision=precision)
    batches = [patches(5 + seed, seed) for seed in range(24)]
    expected = [Classifier(bundle, "cpu").predict(batch) for batch in batches]
    there = Classifier(bundle, "cuda")
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(there.predict, batches), strict=True):
            same(one, other, 1e-3 if precision == "float32" else 5e-2)


def test_novelty_follows_the_reference(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(open_set={"scores": ["neighbours"], "neighbours": 1})
    classifier = Classifier(bundle)
    pixels = patches(10)
    embeddings = classifier.predict(pixels).embeddings
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    familiar = replace(bundle.reference, novelty={"examples": unit})
    novelty = Classifier(replace(bundle, reference=familiar)).predict(pixels).novelty
    np.testing.assert_allclose(novelty, 0, atol=2e-3)


def test_a_bundle_whose_parts_do_not_fit_is_refused_at_start(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    with pytest.raises(ConfigurationError, match="novelty score does not fit"):
        Classifier(replace(bundle, reference=replace(bundle.reference, novelty={})))
    narrow = replace(bundle.reference, novelty={"examples": np.ones((4, 5), np.float32)})
    with pytest.raises(ConfigurationError, match="self-test"):
        Classifier(replace(bundle, reference=narrow))
    broken = {name: array * np.float32(np.nan) for name, array in bundle.weights.items() if name == "head.bias"}
    with pytest.raises(ConfigurationError, match="finite"):
        Classifier(replace(bundle, weights={**bundle.weights, **broken}))
    with pytest.raises(ConfigurationError, match="weights do not fit"):
        Classifier(replace(bundle, manifest=replace(bundle.manifest, labels=Labels(("a", "b")))))


def test_the_radius_is_added_for_networks_that_want_it(make_bundle: MakeBundle) -> None:
    recipe = {"preprocessing": {"radius": True}}
    assert Classifier(make_bundle(**recipe)).predict(patches(2)).probabilities.shape == (2, 3)
