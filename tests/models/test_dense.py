"""Dense inference: the same as patch by patch, wherever blocks begin."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.bundle import Bundle
from models.classifier import Classifier
from models.dense import DenseClassifier, VerdictMap
from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import Level, Window, starts
from models.domain.verdict import Labels
from models.views import SYMMETRIES

MakeBundle = Callable[..., Bundle]

TOLERANCE = 2e-5
"""Sums in another order; probabilities and distances of the size of one."""

NETWORKS: dict[str, dict[str, object]] = {
    "small": {"widths": [4, 8, 8], "convolutions": 1, "embedding": 6, "padding": "none"},
    "small, pooled": {"widths": [4, 8], "convolutions": 2, "embedding": 0, "padding": "none", "dropout": 0.3},
    "small, mean and max": {
        "widths": [4, 8],
        "convolutions": 1,
        "embedding": 6,
        "padding": "none",
        "pooling": "mean+max",
    },
    "small, not pooled": {
        "widths": [4, 8],
        "convolutions": 1,
        "embedding": 6,
        "padding": "none",
        "pooling": "none",
    },
    "small, stem halved": {
        "widths": [4, 8],
        "convolutions": 1,
        "embedding": 6,
        "padding": "none",
        "pooling": "none",
        "stem": "halved",
    },
    "small, in relief": {
        "widths": [4, 8],
        "convolutions": 1,
        "embedding": 6,
        "padding": "none",
        "pooling": "none",
        "stem": "halved",
        "relief": 9,
    },
    "lenet5": {"name": "lenet5"},
}


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise of changing strength on a changing ground: no two windows are alike, also on average."""
    generator = np.random.default_rng(seed)
    cells = generator.uniform(0, 1, (2, height // 13 + 1, width // 13 + 1, 2))
    ground, strength = cells.repeat(13, axis=1).repeat(13, axis=2)[:, :height, :width]
    return (255 * ground * generator.uniform(1 - strength, 1)).astype(np.uint8)


def patch_by_patch(classifier: Classifier, pixels: NDArray[np.uint8], step: int) -> VerdictMap:
    tile = classifier.manifest.recipe.tiling.tile
    tops, lefts = (starts(length, tile, tile - step) for length in pixels.shape[:2])
    cut = [pixels[top : top + tile, left : left + tile] for top in tops for left in lefts]
    predictions = classifier.predict(np.stack(cut))
    shape = (len(tops), len(lefts))
    return VerdictMap(
        tile,
        np.array(tops),
        np.array(lefts),
        predictions.probabilities.reshape(*shape, -1),
        predictions.novelty.reshape(shape),
    )


def same(one: VerdictMap, other: VerdictMap) -> None:
    np.testing.assert_array_equal(one.tops, other.tops)
    np.testing.assert_array_equal(one.lefts, other.lefts)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=TOLERANCE)
    np.testing.assert_allclose(one.novelty, other.novelty, atol=20 * TOLERANCE)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("views", [("identity",), SYMMETRIES], ids=["one view", "all views"])
def test_dense_is_patch_by_patch(make_bundle: MakeBundle, network: dict[str, object], views: tuple[str, ...]) -> None:
    strong = {"mean": [0.3], "std": [0.05]}
    classifier = Classifier(make_bundle(network=network, views=views, preprocessing=strong, temperature=20.0))
    pixels = picture(83, 70)
    dense = DenseClassifier(classifier)
    verdicts = dense.scan_array(pixels, largest=64)
    same(verdicts, patch_by_patch(classifier, pixels, dense.step))
    # the answers differ from place to place, or the comparison would be empty
    assert verdicts.probabilities.std(axis=(0, 1)).max() > 100 * TOLERANCE


def test_several_patterns_too(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(network=NETWORKS["small"], labels=Labels(("a", "b", "c"), exclusive=False))
    classifier = Classifier(bundle)
    same(DenseClassifier(classifier).scan_array(picture(60, 60)), patch_by_patch(classifier, picture(60, 60), 4))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(32, 90),
    width=st.integers(32, 90),
    block=st.integers(32, 100),
    step=st.sampled_from([8, 12, 16, 32]),
    seed=st.integers(0, 5),
)
def test_no_result_depends_on_the_blocks(
    make_bundle: MakeBundle, height: int, width: int, block: int, step: int, seed: int
) -> None:
    classifier = Classifier(make_bundle(network=NETWORKS["small"]))
    pixels = picture(height, width, seed)
    verdicts = DenseClassifier(classifier, step=step).scan_array(pixels, largest=block)
    same(verdicts, patch_by_patch(classifier, pixels, step))


def test_every_pixel_is_seen_and_read_in_blocks(make_bundle: MakeBundle) -> None:
    pixels = picture(150, 101)
    seen = np.zeros((150, 101), bool)
    largest = 0

    def read(window: Window) -> NDArray[np.uint8]:
        nonlocal largest
        seen[window.top : window.bottom, window.left : window.right] = True
        largest = max(largest, window.height, window.width)
        return pixels[window.top : window.bottom, window.left : window.right]

    dense = DenseClassifier(Classifier(make_bundle(network=NETWORKS["small"])))
    verdicts = dense.scan(read, Level(0, 150, 101), largest=50)
    assert seen.all()
    assert largest <= 50
    assert (verdicts.tops[-1], verdicts.lefts[-1]) == (150 - 32, 101 - 32)


def test_a_picture_smaller_than_a_tile_is_padded(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle(network=NETWORKS["small"]))
    pixels = picture(20, 50)
    padded = np.zeros((32, 50, 2), np.uint8)
    padded[:20] = pixels
    same(DenseClassifier(classifier).scan_array(pixels), DenseClassifier(classifier).scan_array(padded))


def test_a_map_speaks_of_windows(make_bundle: MakeBundle) -> None:
    verdicts = DenseClassifier(Classifier(make_bundle(network=NETWORKS["small"])), step=32).scan_array(picture(70, 40))
    windows = list(verdicts.windows(Level(3, 70, 40)))
    assert [(w.top, w.left) for w in windows] == [(0, 0), (0, 8), (32, 0), (32, 8), (38, 0), (38, 8)]
    predictions = verdicts.predictions()
    assert len(predictions) == len(windows)
    np.testing.assert_array_equal(predictions.probabilities[3], verdicts.probabilities[1, 1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"network": {"widths": [4, 8], "padding": "same"}}, "padding"),
        ({"network": {"widths": [4, 8], "padding": "none", "normalisation": "group"}}, "GroupNorm"),
        ({"network": {"name": "residual", "widths": [4, 8]}}, "take network small with padding: none"),
        ({"network": {"name": "squeezenet1_1"}}, "cannot read whole blocks"),
        ({"network": NETWORKS["small"], "preprocessing": {"radius": True}}, "radius"),
    ],
)
def test_networks_that_look_beyond_their_windows_are_refused(
    make_bundle: MakeBundle, options: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        DenseClassifier(Classifier(make_bundle(**options)))


@pytest.mark.parametrize("step", [3, 36])
def test_a_grid_that_does_not_fit_is_refused(make_bundle: MakeBundle, step: int) -> None:
    with pytest.raises(ConfigurationError, match="bad grid"):
        DenseClassifier(Classifier(make_bundle(network=NETWORKS["small"])), step=step)


@pytest.mark.parametrize("shape", [(31, 40, 2), (33, 40, 2), (40, 40, 3)])
def test_a_block_that_does_not_fit_is_refused(make_bundle: MakeBundle, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="block does not fit"):
        DenseClassifier(Classifier(make_bundle(network=NETWORKS["small"]))).predict(np.zeros(shape, np.uint8))
