"""What may take the champion's place."""

import json
from dataclasses import replace

import pytest

from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.manifest import BundleManifest, Thresholds
from models.recipe import Recipe
from pipelines.release_gate import gate, noise

FIGURES = {
    "test.recall.Scratch": 0.7,
    "test.support.Scratch": 200.0,
    "test.normal_false_alarms": 0.01,
    "test.missed": 0.1,
    "test.support.none": 2000.0,
    "test.open_set.auroc": 0.8,
    "left_out.auroc": 0.9,
    "left_out.worst_auroc": 0.8,
    "strangers.auroc": 0.95,
    "test.open_set.oscr": 0.6,
    "test.open_set.refused": 0.5,
    "test.open_set.strangers": 100.0,
}


def manifest(**figures: float) -> BundleManifest:
    changed = {name.replace("__", "."): value for name, value in figures.items()}
    labels = Labels(("Scratch", "none"), "none")
    recipe = Recipe.parse({"name": "m"}, "test")
    return BundleManifest(BundleRef("m", "0", ""), recipe, labels, 1.0, Thresholds(0, 1), "data", FIGURES | changed)


def test_the_first_one_passes() -> None:
    assert gate(manifest(), None, None).passed


def test_an_equal_one_passes_and_says_with_whom_it_was_compared() -> None:
    result = gate(manifest(), manifest(), "3")
    assert result.passed
    assert result.compared_with == "3"


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ({"test__recall__Scratch": 0.55}, "recall of Scratch falls from 0.700 to 0.550"),
        ({"test__normal_false_alarms": 0.0135}, "false alarms rise from 1.00% to 1.35%"),
        ({"test__missed": 0.11}, "defects called normal rise"),
        ({"test__open_set__auroc": 0.7}, "AUROC of strangers falls"),
        ({"left_out__auroc": 0.85}, "AUROC of classes left out, their mean falls from 0.900 to 0.850"),
        ({"left_out__worst_auroc": 0.6}, "AUROC of the worst class left out falls"),
        ({"strangers__auroc": 0.9}, "AUROC of simulated patterns and pictures falls"),
        ({"test__open_set__oscr": 0.5}, "OSCR of strangers falls"),
        ({"test__open_set__refused": 0.3}, "strangers refused fall from 50.0% to 30.0%"),
    ],
)
def test_a_step_back_is_refused_with_its_reason(figures: dict[str, float], word: str) -> None:
    result = gate(manifest(**figures), manifest(), "1")
    assert not result.passed
    assert word in result.reasons[0]


def test_what_was_measured_of_the_champion_must_be_measured_again() -> None:
    blind = manifest()
    blind = replace(blind, metrics={name: value for name, value in FIGURES.items() if name != "left_out.auroc"})
    assert "classes left out, their mean is not measured any more" in gate(blind, manifest(), "1").reasons[0]
    assert gate(manifest(), blind, "1").passed


def test_the_budget_of_false_alarms_holds_for_the_first_one_too() -> None:
    loud = gate(manifest(test__normal_false_alarms=0.03), None, None)
    assert loud.reasons == ("false alarms of 3.00% exceed the budget of 1.00%",)
    assert gate(manifest(test__normal_false_alarms=0.03), None, None, false_alarms=0.05).passed
    few = manifest(test__normal_false_alarms=0.03, test__support__none=30)
    assert gate(few, None, None).passed, "one of thirty normal patches proves nothing"


def test_the_report_shows_every_figure_and_what_refuses() -> None:
    result = gate(manifest(test__recall__Scratch=0.55), manifest(), "3")
    text = result.markdown()
    assert "# Gate: refused, against version 3" in text
    assert "| recall of Scratch | 0.7000 | 0.5500 |" in text
    assert text.count("| refused |") == 1
    for figure in ("false alarms against the budget", "AUROC of strangers", "strangers refused"):
        assert figure in text
    assert json.loads(result.to_json())["compared_with"] == "3"


def test_noise_is_no_step_back() -> None:
    assert gate(manifest(test__recall__Scratch=0.65, test__normal_false_alarms=0.0115), manifest(), "1").passed


def test_figures_from_other_data_are_not_compared() -> None:
    result = gate(replace(manifest(), data_fingerprint="other"), manifest(), "1")
    assert not result.passed
    assert "other data" in result.reasons[0]


def test_a_class_that_is_no_longer_measured_is_a_step_back() -> None:
    fewer = replace(manifest(), metrics={"test.missed": 0.1})
    assert "not measured any more" in gate(fewer, manifest(), "1").reasons[0]


def test_noise_shrinks_with_patches_and_is_never_nothing() -> None:
    assert noise(0.7, 0.7, 20) > noise(0.7, 0.7, 2000) > 0
    assert noise(1.0, 1.0, 50) > 0.01
    assert noise(0.5, 0.5, 0) == 1
