"""Made strangers: of every kind, drawn as the dataset's wafers are; figures and the card's part."""

import numpy as np
import pytest

from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation.strangers import (
    OF_EACH,
    Told,
    die_map_of,
    figures_of,
    made_strangers,
    strangers_section,
    told,
)
from pipelines.ingestion.wafer_maps import FAIL
from pipelines.simulate import sample


@pytest.mark.parametrize("kind", [DatasetKind.DIE_MAPS, DatasetKind.POINTS])
def test_there_are_simulated_patterns_and_pictures(kind: DatasetKind) -> None:
    made = made_strangers(kind, 32, seed=1)
    assert set(made) == {
        *(f"simulated {name}" for name in ("CheckerBoard", "Crescents", "Spiral", "Spokes", "Triangle")),
        "pictures",
    }
    for pixels in made.values():
        assert pixels.shape == (OF_EACH, 32, 32, 2)
        assert pixels.dtype == np.uint8
        assert (pixels[..., 0].reshape(OF_EACH, -1).std(1) > 0).all()


def test_a_simulated_wafer_fails_where_its_defects_are() -> None:
    wafer = sample("Ring", 3, defects=400)
    states = die_map_of(wafer).states
    place = wafer.layout.locate(wafer.points.x_um.astype(float), wafer.points.y_um.astype(float))
    assert (states == FAIL).sum() == len({(int(r), int(c)) for r, c in zip(place.row, place.column, strict=True)})


def test_figures_by_hand() -> None:
    found = told(np.array([0.0, 1.0, 2.0, 3.0]), np.array([3.0]), np.array([2.5, 4.0]))
    assert (found.strangers, found.auroc, found.auroc_defects) == (2, 7 / 8, 0.5)


def test_means_the_worst_and_the_card() -> None:
    left_out = {"Ring": Told(10, 0.9, 0.8, 0.5, 0.2), "Scratch": Told(5, 0.7, float("nan"), 0.4, 0.6)}
    figures = figures_of(left_out, {"pictures": Told(3, 1.0, 1.0, 1.0, 0.0, refused=1.0)})
    assert figures["left_out.auroc"] == pytest.approx(0.8)
    assert figures["left_out.worst_auroc"] == 0.7
    assert figures["left_out.fpr_at_95"] == pytest.approx(0.4)
    assert figures["strangers.auroc"] == 1.0
    assert "left_out.auroc_defects" not in figures
    (section,) = strangers_section(left_out, {})
    assert [row[0] for row in section.rows] == ["strangers", "left out: Ring", "left out: Scratch"]
    assert strangers_section({}, {}) == ()
