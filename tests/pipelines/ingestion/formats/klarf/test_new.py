"""A file from plain arrays says what the arrays say."""

from datetime import datetime

import numpy as np
import pytest

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf import NewLot, NewWafer, Point, dies_on_disc, new_klarf
from pipelines.ingestion.formats.wafer_frame import place_wafer

LOT = NewLot(
    lot="LOT;1",
    product="CHIP",
    step="M1",
    inspected_at=datetime(2025, 3, 4, 5, 6, 7),
    diameter_mm=300,
    die_pitch_um=Point(8_000.5, 11_000.25),
    tool=("a", "b", "TOOL"),
    classes={-1: 'none "x"', 7: "Scratch"},
)


def wafer(name: str, slot: int, count: int, seed: int) -> NewWafer:
    random = np.random.default_rng(seed)
    radius, angle = 150_000 * np.sqrt(random.random(count)), 2 * np.pi * random.random(count)
    return NewWafer(
        wafer=name,
        slot=slot,
        x_um=radius * np.cos(angle),
        y_um=radius * np.sin(angle),
        classes=random.integers(-1, 8, count),
        sizes_um=random.exponential(2, count),
        columns={"VENDOR": random.random(count), "LABEL": np.array(["a b"] * count)},
    )


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.8"])
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_places_and_facts_come_back(read, written, version: str, count: int) -> None:
    made = [wafer("W1", 1, count, 1), wafer("W2", 25, count, 2)]
    klarf = new_klarf(LOT, made, version)
    again = read(written(klarf))
    assert again == klarf
    assert not again.warnings
    for source, found in zip(made, again.wafers, strict=True):
        said = found.provenance
        assert (said.lot, said.wafer, said.slot) == ("LOT;1", source.wafer, source.slot)
        assert (said.product, said.step, said.tool, said.inspected_at) == ("CHIP", "M1", "TOOL", LOT.inspected_at)
        assert found.diameter_um == 300_000
        assert dict(found.classes) == {-1: "none 'x'", 7: "Scratch"}
        placed = place_wafer(found, "x")
        assert not placed.warnings
        np.testing.assert_allclose(placed.content.x_um, source.x_um, atol=0.02)
        np.testing.assert_allclose(placed.content.y_um, source.y_um, atol=0.02)
        np.testing.assert_array_equal(found.defects.columns["CLASSNUMBER"], source.classes)
        np.testing.assert_allclose(found.defects.columns["DSIZE"] * found.unit_um, source.sizes_um, atol=0.001)
        assert found.summary[0].defects == count


def test_written_numbers_are_rounded_to_a_nanometre(written) -> None:
    flat = written(new_klarf(LOT, [wafer("W", 1, 100, 1)])).decode()
    rows = flat.split("DefectList\n")[1].split(";")[0].splitlines()
    assert all(len(row.split()[1].split(".")[1]) <= 3 for row in rows)


def test_dies_on_the_disc() -> None:
    dies = dies_on_disc(LOT)
    x = dies[:, 0] * 8_000.5 - LOT.centre.x + 4_000.25
    y = dies[:, 1] * 11_000.25 - LOT.centre.y + 5_500.125
    assert np.hypot(x, y).max() < 150_000 + np.hypot(4_000.25, 5_500.125)
    area = len(dies) * 8_000.5 * 11_000.25
    assert np.pi * 150_000**2 < area < 1.2 * np.pi * 150_000**2
    assert len(np.unique(dies, axis=0)) == len(dies)


def test_what_was_inspected_can_be_said(read, written) -> None:
    some = NewWafer(wafer="W", x_um=np.zeros(0), y_um=np.zeros(0), dies=np.array([[0, 0], [1, 0]]))
    (found,) = read(written(new_klarf(LOT, [some]))).wafers
    assert found.inspected_dies.tolist() == [[0, 0], [1, 0]]
    assert found.tests[0].area_um2 == pytest.approx(2 * 8_000.5 * 11_000.25)


def test_a_wafer_off_the_middle_of_a_die(read, written) -> None:
    lot = NewLot(
        lot="L",
        product="P",
        step="S",
        inspected_at=LOT.inspected_at,
        diameter_mm=200,
        die_pitch_um=Point(1_000, 2_000),
        centre_um=Point(-3_210.5, 777),
    )
    point = NewWafer(wafer="W", x_um=np.array([-90_000.0, 5.5]), y_um=np.array([12.25, -7.0]))
    for version in ("1.2", "1.8"):
        (found,) = read(written(new_klarf(lot, [point], version))).wafers
        placed = place_wafer(found, "x")
        np.testing.assert_allclose(placed.content.x_um, point.x_um, atol=0.01)
        np.testing.assert_allclose(placed.content.y_um, point.y_um, atol=0.01)


def test_impossible_geometry() -> None:
    with pytest.raises(InputError):
        NewLot(lot="", product="", step="", inspected_at=LOT.inspected_at, diameter_mm=300, die_pitch_um=Point(0, 1))
