"""A contest: everybody answers the same patches, and nobody is asked twice."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.benchmark import Role, Trained, contest, k_fold
from pipelines.benchmark.left_out import leave_one_out
from pipelines.benchmark.rounds import held_out_fifth
from pipelines.benchmark.table import print_contest
from pipelines.dataset.loading import load_patches
from pipelines.evaluation.answers import Answers

RECIPE: Mapping[str, object] = {
    "name": "small",
    "tiling": {"tile": 16},
    "network": {"widths": [8, 16], "convolutions": 1, "embedding": 16},
    "open_set": {"budget": 0.05, "components": 2, "latent": 4, "reference_per_class": 50},
    "training": {"epochs": 6, "batch": 32, "samples_per_epoch": 384, "lr": 0.01, "precision": "float32"},
}


class Silent:
    """An observer that watches nothing."""

    def on_stage(self, name: str) -> None: ...

    def on_step(self, done: int, total: int, loss: float) -> None: ...

    def on_epoch(self, record: object, state: object) -> None: ...


@dataclass(frozen=True)
class Knower:
    """Knows the truth, but for the class it is told to call `none`."""

    blind: str = ""
    asked: list[Path] = field(default_factory=list, repr=False)
    name: str = "knower"
    role: Role = Role.BASELINE

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:
        self.asked.append(data_dir)
        patches = load_patches(data_dir, tile=16, channels=2, splits=("test",))
        patches = patches.only(patches.known)
        stated = patches.targets.copy()
        if self.blind:
            stated[stated[:, patches.labels.names.index(self.blind)] > 0] = np.eye(3, dtype=np.uint8)[2]
        return Answers.unrefused(patches.labels, patches.groups, patches.targets, stated)


def test_everybody_answers_every_fold_once(dataset: Path, tmp_path: Path) -> None:
    rounds = k_fold(dataset, tmp_path, 3, (2, 0))
    knower, blind = Knower(), Knower("Center", name="blind")
    found = contest(rounds, [knower, blind])
    assert found.protocol == "3-fold by lot, folds 2, 0 alone, division 0"
    assert [standing.role for standing in found.standings] == ["floor", "floor", "baseline", "baseline"]
    best, worse = found.standings[2:]
    assert best.scores.macro_f1.value == 1
    assert best.by_fold == (1, 1)
    assert worse.recall["Center"] == 0
    assert worse.recall["Edge-Ring"] == 1
    assert worse.scores.patches == found.standings[0].scores.patches, "all answer the same patches"
    assert worse.scores.missed == pytest.approx(0.5, abs=0.1)
    assert contest(rounds, [knower, blind]) == found
    assert len(knower.asked) == 2, "what was answered is kept"
    contest(rounds, [Knower("Edge-Ring", knower.asked)])
    assert len(knower.asked) == 4, "other settings are asked anew"


def test_a_damaged_file_of_answers_is_said(dataset: Path, tmp_path: Path) -> None:
    rounds = k_fold(dataset, tmp_path, 3, (0,))
    contest(rounds, [Knower()])
    next((tmp_path / "group-0-of-3/answers").iterdir()).write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match=r"cannot read answers.*delete the file"):
        contest(rounds, [Knower()])


def test_our_recipe_is_trained_for_each_fold_and_beats_the_floor(dataset: Path, tmp_path: Path) -> None:
    rounds = k_fold(dataset, tmp_path, 3, (1,))
    ours = Trained(Recipe.parse(RECIPE, "test"), progress=Silent())
    told = []
    found = contest(rounds, [ours], done=lambda fold, name, _answers: told.append((fold, name)))
    assert told[-1] == ("1", "recipe small")
    assert found.standings[-1].scores.macro_f1.value > 0.5 > found.standings[0].scores.macro_f1.value
    bundle = tmp_path / "group-1-of-3/bundle-small/bundle.json"
    written = bundle.stat().st_mtime_ns
    next((tmp_path / "group-1-of-3/answers").iterdir()).unlink()
    again = contest(rounds, [ours])
    assert bundle.stat().st_mtime_ns == written, "a finished training is not repeated"
    assert again.standings[-1].scores == found.standings[-1].scores
    console = Console(file=io.StringIO(), width=160)
    print_contest(found, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("folds 1 alone", "ours", "recipe small", "Edge-Ring", "commonest class"):
        assert expected in printed


def test_a_fifth_is_tested(dataset: Path, tmp_path: Path) -> None:
    rounds = held_out_fifth(dataset, tmp_path)
    assert rounds.protocol.startswith("20 % test split by lot, exact duplicates removed (0 repeats")
    assert list(rounds.places) == ["0"]


def test_no_folds_are_no_protocol(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such fold"):
        k_fold(dataset, tmp_path, 3, ())


def test_each_class_is_left_out_in_turn(dataset: Path, tmp_path: Path) -> None:
    found = leave_one_out(Recipe.parse(RECIPE, "test"), dataset, tmp_path, ("Center",), progress=Silent())
    report = found.reports["Center"]
    assert [row.name for row in report.classes] == ["Edge-Ring", "none"]
    assert report.open_set is not None
    assert report.open_set.strangers > 72, "the dataset's own strangers and the class left out"
    assert found.figures["auroc"] == found.figures["worst_auroc"] == report.open_set.auroc
    bundle = tmp_path / "without-Center" / "bundle-small" / "bundle.json"
    written = bundle.stat().st_mtime_ns
    again = leave_one_out(Recipe.parse(RECIPE, "test"), dataset, tmp_path, ("Center",), progress=Silent())
    assert bundle.stat().st_mtime_ns == written, "a finished bundle is measured again, not trained again"
    assert again.figures == found.figures
