"""A contest: floor, baselines and our recipe answer the same test patches of the same folds.

A figure alone says nothing. Beside it must stand what a rule without eyes gets, and what simple methods get.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pipelines.benchmark.rounds import Rounds
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.evaluation import metrics
from pipelines.evaluation.answers import Answers
from pipelines.evaluation.floor import rule_answers
from pipelines.evaluation.scores import Scores


class Role(StrEnum):
    """What a contestant is there for."""

    FLOOR = "floor"
    BASELINE = "baseline"
    OURS = "ours"


class Contestant(Protocol):
    """Whoever answers.

    Its `repr` must tell all that its answers depend on besides the data: it names the file they are kept in.
    """

    @property
    def name(self) -> str:
        """For the table."""
        ...

    @property
    def role(self) -> Role:
        """Baseline or ours."""
        ...

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:
        """Learn from the training and validation split of a dataset, then answer its test split.

        Args:
            data_dir: the fold's dataset.
            work_dir: of the fold, for whatever is worth keeping.
        """
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What one contestant reached.

    Attributes:
        name: of the contestant.
        role: floor, baseline or ours.
        scores: over the test patches of all folds together.
        by_fold: macro-F1 of each fold.
    """

    name: str
    role: Role
    scores: Scores
    by_fold: tuple[float, ...]

    @property
    def recall(self) -> Mapping[str, float | None]:
        """Of each class; refused patches count as missed."""
        return {row.name: row.recall for row in self.scores.classes}


@dataclass(frozen=True, slots=True)
class Contest:
    """The result: protocol, and one standing each, the floor first.

    Attributes:
        protocol: in words.
        folds: names of the rounds that were run.
        standings: in the order of the table.
    """

    protocol: str
    folds: tuple[str, ...]
    standings: tuple[Standing, ...]


def contest(
    rounds: Rounds,
    contestants: Sequence[Contestant],
    *,
    done: Callable[[str, str, Answers], None] = lambda _fold, _name, _answers: None,
) -> Contest:
    """Let everybody answer every fold; what a fold has answered already is not asked again.

    Args:
        rounds: the folds' datasets.
        contestants: in the order of the table; one may use what an earlier one left in the fold's folder.
        done: told each set of answers as it comes: fold, contestant, answers.
    """
    parts: dict[str, list[Answers]] = {}
    roles: dict[str, Role] = {}
    for fold, place in rounds.places.items():
        for rule, answers in rule_answers(place / "data", "test").items():
            roles[rule] = Role.FLOOR
            parts.setdefault(rule, []).append(answers)
            done(fold, rule, answers)
        for contestant in contestants:
            answers = _answered(contestant, place)
            roles[contestant.name] = contestant.role
            parts.setdefault(contestant.name, []).append(answers)
            done(fold, contestant.name, answers)
    standings = tuple(Standing(name, roles[name], *_judged(found)) for name, found in parts.items())
    return Contest(rounds.protocol, tuple(rounds.places), standings)


def _judged(parts: Sequence[Answers]) -> tuple[Scores, tuple[float, ...]]:
    by_fold = (metrics.mean_of(metrics.per_class_of_flags(part.truth, part.stated).f1) for part in parts)
    return Answers.joined(parts).scores(), tuple(by_fold)


def _answered(contestant: Contestant, place: Path) -> Answers:
    identity = f"{contestant!r} {read_dataset_manifest(place / 'data').fingerprint}"
    kept = place / "answers" / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    if kept.exists():
        return Answers.load(kept)
    answers = contestant.answer(place / "data", place)
    answers.save(kept)
    return answers
