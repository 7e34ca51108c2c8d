"""Objects are peaks, each counted once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.counting import objects, peaks, presence, strangers
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason, Verdict
from models.recipe import CountRecipe

RADIUS, STEP, TILE = 30, 8, 64
RECIPE = CountRecipe(presence=0.5, radius=RADIUS)


def scene(places: list[tuple[int, int]], height: int = 600, width: int = 500) -> tuple[np.ndarray, ...]:
    """A presence map with a bump at each place (row and column of a window), and its grid."""
    rows, columns = np.arange(0, height, STEP), np.arange(0, width, STEP)
    there = np.zeros((len(rows), len(columns)))
    for row, column in places:
        distance = np.hypot(rows[:, None] - row, columns[None] - column)
        there = np.maximum(there, np.clip(1.4 - distance / 20, 0, 1))
    return there, rows, columns


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(2, 8), st.integers(2, 6)), unique=True, max_size=12), st.integers(-8, 8))
def test_objects_that_lie_apart_are_counted_once_each(cells: list[tuple[int, int]], off: int) -> None:
    places = [(row * 64 + off, column * 64 - off) for row, column in cells]
    there, rows, columns = scene(places)
    found = peaks(there, rows, columns, RECIPE)
    assert len(found) == len(places)
    for row, column in found:
        nearest = min(np.hypot(rows[row] - y, columns[column] - x) for y, x in places)
        assert nearest <= STEP


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_two_objects_are_nearer_than_the_radius_and_nothing_clear_is_left_out(seed: int) -> None:
    there = np.random.default_rng(seed).random((40, 40)) ** 2
    rows = columns = np.arange(40) * STEP
    found = np.array(peaks(there, rows, columns, RECIPE)) * STEP
    apart = np.hypot(*(found[:, None] - found[None]).transpose(2, 0, 1))
    assert (apart[~np.eye(len(found), dtype=bool)] > RADIUS).all()
    for place in np.argwhere(there >= RECIPE.presence) * STEP:
        assert np.hypot(*(found - place).T).min() <= RADIUS


def test_nothing_there_nothing_counted() -> None:
    assert peaks(np.full((5, 5), 0.4), np.arange(5) * STEP, np.arange(5) * STEP, RECIPE) == []
    assert objects((), "sand", RECIPE) == ()


def said(likeliest: str, confidence: float, runner_up: str, other: float, top: int = 0, left: int = 0) -> Verdict:
    window = Window(Level(3, 512, 512), top, left, TILE, TILE)
    return Verdict(window, likeliest, confidence, 0.0, Reason.CONFIDENT, likeliest, runner_up, other)


def test_presence_is_what_is_not_normal() -> None:
    assert presence(said("sand", 0.9, "pup", 0.1), "sand") == pytest.approx(0.1)
    assert presence(said("pup", 0.6, "sand", 0.3), "sand") == pytest.approx(0.7)
    assert presence(said("pup", 0.4, "cow", 0.35), "sand") == pytest.approx(0.75)
    assert presence(said("pup", 0.3, "cow", 0.25), "sand") == pytest.approx(0.75), "sand is no likelier than cow"
    assert presence(said("pup", 0.4, "cow", 0.35), None) == pytest.approx(0.4)
    nobody_looked = Verdict(Window(Level(3, 512, 512), 0, 0, TILE, TILE), None, 0.0, 0.0, Reason.NOT_INSPECTED)
    assert presence(nobody_looked, "sand") == 0


def test_an_object_is_what_its_middle_window_says() -> None:
    there, rows, columns = scene([(128, 200)])
    verdicts = [
        said("pup" if here > 0.9 else "cow" if here > 0.5 else "sand", max(here, 1 - here), "sand", 0, top, left)
        for top, line in zip(rows.tolist(), there.tolist(), strict=True)
        for left, here in zip(columns.tolist(), line, strict=True)
    ]
    np.random.default_rng(0).shuffle(verdicts)  # type: ignore[arg-type]
    (found,) = objects(verdicts, "sand", RECIPE)
    assert (found.label, found.window.top, found.window.left) == ("pup", 128, 200)


def test_what_is_there_is_of_the_likeliest_class_even_if_normal_is_likelier_than_it() -> None:
    (found,) = objects([said("sand", 0.4, "pup", 0.35)], "sand", RECIPE)
    assert (found.label, found.confidence, found.runner_up, found.runner_up_confidence) == ("pup", 0.35, "sand", 0.4)


def strange(top: int, left: int, novelty: float, reason: Reason = Reason.NOVEL) -> Verdict:
    return Verdict(Window(Level(3, 512, 512), top, left, TILE, TILE), None, 0.9, novelty, reason, "sand", "pup", 0.1)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_people_are_asked_about_the_strangest_places_that_lie_apart(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    verdicts = [
        strange(top, left, float(rng.random())) if rng.random() < 0.3 else said("sand", 0.9, "pup", 0.1, top, left)
        for top in range(0, 400, STEP)
        for left in range(0, 400, STEP)
    ]
    recipe = RECIPE.model_copy(update={"strangers": most})
    found = strangers(verdicts, (), recipe)
    assert len(found) <= most
    novelty = [one.novelty for one in found]
    assert novelty == sorted(novelty, reverse=True)
    places = np.array([(one.window.top, one.window.left) for one in found]).reshape(-1, 2)
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert (apart[~np.eye(len(found), dtype=bool)] > RADIUS).all()
    for one in verdicts:  # whoever is not asked about lies beside one that is stranger, or came too late
        near = [a for a in found if np.hypot(a.window.top - one.window.top, a.window.left - one.window.left) <= RADIUS]
        late = len(found) == most and (not found or one.novelty <= found[-1].novelty)
        assert not one.is_unknown or late or any(a.novelty >= one.novelty for a in near)


def test_objects_without_a_label_are_asked_about_and_hesitation_about_ground_is_not() -> None:
    unsure = strange(0, 0, 0.2, Reason.UNSURE)
    verdicts = [unsure, strange(200, 200, 0.9, Reason.UNSURE), said("pup", 0.9, "sand", 0.1, 100, 100)]
    assert strangers(verdicts, [unsure], RECIPE) == (unsure,)
    assert strangers(verdicts, [], RECIPE) == ()
    assert strangers([], [], RECIPE) == ()
