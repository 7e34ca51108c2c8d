"""The search proposes, prunes, resumes, and never looks at the test split."""

from pathlib import Path

import pytest
import yaml

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.training import search as module
from pipelines.training.search import BEST, search
from pipelines.training.search_space import Choice, Range, Space
from pipelines.training.state import EpochRecord, State
from tests.pipelines.conftest import small_recipe

SPACE = Space(
    {
        "training.lr": Range(low=1e-4, high=3e-2, log=True),
        "training.batch": Choice(choices=(16, 32)),
        "network.widths": Choice(choices=([4, 8], [8, 16])),
    }
)


@pytest.fixture
def recipe() -> Recipe:
    return small_recipe(epochs=2, samples_per_epoch=96, ema=None)


def test_it_finds_the_best_of_what_it_tried_and_goes_on(recipe: Recipe, dataset: Path, tmp_path: Path) -> None:
    first = search(recipe, SPACE, dataset, tmp_path / "s", trials=2)
    assert [one.number for one in sorted(first.tried, key=lambda one: one.number)] == [0, 1]
    more = search(recipe, SPACE, dataset, tmp_path / "s", trials=4)
    assert len(more.tried) == 4
    assert len({one.values["training.lr"] for one in more.tried}) == 4, "a resumed search proposes new values"
    complete = [one for one in more.tried if one.outcome == "complete"]
    assert more.score == max(one.score for one in complete if one.score is not None)
    best = complete[0].values
    assert more.best.training.lr == best["training.lr"]
    assert list(more.best.network.widths) == best["network.widths"]
    assert Recipe.load(tmp_path / "s" / BEST) == more.best
    assert search(recipe, SPACE, dataset, tmp_path / "s", trials=4).tried == more.tried, "nothing is left to do"


def test_a_killed_training_is_not_waited_for(recipe: Recipe, dataset: Path, tmp_path: Path) -> None:
    class Killed:
        def on_stage(self, name: str) -> None: ...

        def on_step(self, done: int, total: int, loss: float) -> None:
            raise KeyboardInterrupt

        def on_epoch(self, record: EpochRecord, state: State) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        search(recipe, SPACE, dataset, tmp_path / "s", trials=1, observers=(Killed(),))
    found = search(recipe, SPACE, dataset, tmp_path / "s", trials=2)
    assert sorted(one.outcome for one in found.tried) == ["complete", "fail"]


def test_another_search_does_not_mix_in(recipe: Recipe, dataset: Path, tmp_path: Path) -> None:
    search(recipe, SPACE, dataset, tmp_path / "s", trials=1)
    other = Space({"training.lr": Range(low=0.001, high=0.1)})
    with pytest.raises(ConfigurationError, match="folder of another search"):
        search(recipe, other, dataset, tmp_path / "s", trials=1)


def test_what_cannot_be_trained_is_a_failure_of_its_own(
    recipe: Recipe, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Space({"network.name": Choice(choices=("vgg11_bn", "inception_v3"))})
    with pytest.raises(ConfigurationError, match="no training came to an end"):
        search(recipe, space, dataset, tmp_path / "s", trials=2)


def test_hopeless_trainings_end_early(
    recipe: Recipe, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Trial, "should_prune", lambda trial: trial.number == 1)
    found = search(recipe, SPACE, dataset, tmp_path / "s", trials=2)
    pruned = next(one for one in found.tried if one.number == 1)
    assert pruned.outcome == "pruned"
    assert pruned.score is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("training.lr: {low: 2, high: 1}", "training.lr"),
        ("training.lr: {low: 0, high: 1, log: true}", "training.lr"),
        ("training.lr: {choices: [1]}", "training.lr"),
        ("{}", "bad search space"),
        ("[", "cannot read search space"),
    ],
)
def test_mistakes_in_the_space_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        Space.load(tmp_path / "space.yaml")


def test_a_key_the_recipe_does_not_have(recipe: Recipe, dataset: Path, tmp_path: Path) -> None:
    space = Space({"training.rate": Range(low=0.1, high=0.2)})
    with pytest.raises(ConfigurationError, match=r"training\.rate"):
        search(recipe, space, dataset, tmp_path, trials=1)


def test_the_space_that_is_shipped_fits_the_recipe_it_is_for() -> None:
    folder = Path(__file__).parents[3] / "pipelines" / "recipes"
    Space.load(folder / "search" / "wafer.yaml").check(Recipe.load(folder / "wafer.yaml"))
    assert yaml.safe_load((folder / "search" / "wafer.yaml").read_text())
