"""Features see what their names say, and do not see how a wafer is turned."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.domain.verdict import Labels
from pipelines.benchmark.features import features
from pipelines.dataset.patches import PatchSet


def patch_set(pixels: NDArray[np.uint8]) -> PatchSet:
    n = len(pixels)
    text = np.array([str(i) for i in range(n)])
    return PatchSet(pixels, np.ones((n, 1), np.uint8), text, text, text, np.array([""] * n), Labels(("any",)))


def wafer(failed: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.stack([np.where(failed, 255, 0), np.full(failed.shape, 255)], axis=-1).astype(np.uint8)


def shapes() -> dict[str, NDArray[np.uint8]]:
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    radius = np.hypot(y, x)
    return {
        "nothing": wafer(radius > 9),
        "middle": wafer(radius < 0.3),
        "ring": wafer((radius > 0.85) & (radius < 1)),
        "line": wafer((np.abs(y - 0.3) < 0.04) & (np.abs(x) < 0.7)),
        "corner": wafer(np.hypot(y - 0.5, x - 0.6) < 0.2),
    }


@pytest.mark.parametrize("change", [lambda p: np.rot90(p, 1, (1, 2)), lambda p: np.flip(p, 2)])
def test_a_turned_or_mirrored_wafer_has_the_same_features(change: object) -> None:
    pixels = np.stack(list(shapes().values()))
    assert callable(change)
    np.testing.assert_allclose(
        features(patch_set(np.ascontiguousarray(change(pixels)))), features(patch_set(pixels)), atol=1e-4
    )


def test_features_tell_what_lies_where() -> None:
    drawn = shapes()
    found = dict(zip(drawn, features(patch_set(np.stack(list(drawn.values())))), strict=True))
    whole, inner, outer = 0, 1, 2
    assert not found["nothing"][: outer + 1].any()
    assert found["middle"][inner] > 0.3 > found["middle"][outer]
    assert found["ring"][outer] > found["ring"][inner] == 0
    assert found["ring"][4:16].argmax() in (10, 11), "the ring beside the edge"
    one_bump = slice(16, 17)
    assert found["corner"][one_bump] + found["corner"][22] > 10 * found["ring"][one_bump]
    long, short, elongation = found["line"][-5], found["line"][-4], found["line"][-3]
    assert long > 5 * short
    assert elongation > 0.8
    assert found["middle"][-3] < 0.1
    assert found["ring"][-1] > 0.8, "all of the largest region is at the rim"
    assert found["line"][whole] < found["middle"][whole]


def test_pictures_have_colours_besides() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (3, 96, 96, 3), dtype=np.uint8)
    pixels[1, ..., 2] = 255
    found = features(patch_set(pixels))
    assert found.shape == (3, features(patch_set(pixels[..., :2])).shape[1] + 30)
    assert np.isfinite(found).all()
    assert found[1, -30:-27].round(1).tolist() == pytest.approx([0.1, 0.1, 1.0])
