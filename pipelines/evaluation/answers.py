"""Answers to labelled patches, whoever gave them, and the figures they earn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from pipelines.evaluation import metrics
from pipelines.evaluation.scores import ClassReport, Scores


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was stated of N patches of known classes, beside what they are.

    Attributes:
        labels: what the K columns are.
        groups: (N,) text, lot or frame of each patch.
        truth: uint8 (N, K), 1 where the patch has the class.
        stated: uint8 (N, K), 1 where the class was stated; a row of zeros is a normal or a refused patch.
        forced: uint8 (N, K), what would have been stated had nothing been refused.
        refused: (N,), True where no label was stated.
    """

    labels: Labels
    groups: NDArray[np.str_]
    truth: NDArray[np.uint8]
    stated: NDArray[np.uint8]
    forced: NDArray[np.uint8]
    refused: NDArray[np.bool_]

    @classmethod
    def unrefused(
        cls, labels: Labels, groups: NDArray[np.str_], truth: NDArray[np.uint8], stated: NDArray[np.uint8]
    ) -> "Answers":
        """Answers of someone who never refuses, such as a baseline."""
        return cls(labels, groups, truth, stated, stated, np.zeros(len(truth), bool))

    @classmethod
    def joined(cls, parts: "Sequence[Answers]") -> "Answers":
        """All answers of several folds as one."""
        columns = ("groups", "truth", "stated", "forced", "refused")
        return cls(parts[0].labels, *(np.concatenate([getattr(part, name) for part in parts]) for name in columns))

    def save(self, path: Path) -> None:
        """Write a `.npz` file without pickle, so that a fold need not be answered twice."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.part")
        with unfinished.open("wb") as stream:
            np.savez_compressed(
                stream,
                names=np.asarray(self.labels.names, dtype=np.str_),
                normal=np.asarray([] if self.labels.normal is None else [self.labels.normal], dtype=np.str_),
                exclusive=np.asarray(self.labels.exclusive),
                groups=self.groups,
                truth=self.truth,
                stated=self.stated,
                forced=self.forced,
                refused=self.refused,
            )
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Answers":
        """Read what `save` wrote.

        Raises:
            ConfigurationError: the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                names, normal = (tuple(map(str, file[name])) for name in ("names", "normal"))
                labels = Labels(names, normal[0] if normal else None, bool(file["exclusive"]))
                return cls(labels, *(file[name] for name in ("groups", "truth", "stated", "forced", "refused")))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ConfigurationError(
                "cannot read answers", where=str(path), got=str(error), remedy="delete the file; it is made anew"
            ) from error

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,), True where exactly the truth was stated."""
        exact: NDArray[np.bool_] = (self.stated == self.truth).all(1) & ~self.refused
        return exact

    @property
    def normal(self) -> NDArray[np.bool_]:
        """(N,), True where the patch is a normal one; nowhere if the labels know no normal."""
        if self.labels.normal is None:
            return np.zeros(len(self.truth), bool)
        if not self.labels.exclusive:
            return np.asarray(self.truth.sum(1) == 0)
        return np.asarray(self.truth[:, self.labels.names.index(self.labels.normal)] > 0)

    @property
    def alarms(self) -> NDArray[np.bool_]:
        """(N,), True where a class other than the normal one was stated."""
        defects = [k for k, name in enumerate(self.labels.names) if name != self.labels.normal]
        return np.asarray(self.stated[:, defects].any(1), dtype=np.bool_)

    def scores(self) -> Scores:
        """All figures.

        Raises:
            ConfigurationError: there are no answers.
        """
        if not len(self.truth):
            raise ConfigurationError("nothing to measure", expected="patches of classes the bundle knows")
        intervals = metrics.bootstrap_over_groups(self.truth, self.stated, self.groups)
        figures = metrics.per_class_of_flags(self.truth, self.stated)
        normal, silent = self.normal, ~self.refused & ~self.alarms
        return Scores(
            patches=len(self.truth),
            groups=len(np.unique(self.groups)),
            macro_f1=intervals.macro_f1,
            forced_macro_f1=metrics.mean_of(metrics.per_class_of_flags(self.truth, self.forced).f1),
            accuracy=float(self.right.mean()),
            balanced_accuracy=metrics.mean_of(figures.recall),
            worst_recall=float(np.nanmin(figures.recall)),
            normal_false_alarms=_share(self.alarms[normal]),
            normal_refused=_share(self.refused[normal]),
            missed=_share(silent[~normal]) if self.labels.normal else None,
            refused=float(self.refused.mean()),
            classes=self._classes(figures, intervals),
            confusion=self._confusion(),
        )

    def _classes(self, figures: metrics.PerClass, intervals: metrics.Intervals) -> tuple[ClassReport, ...]:
        def number(value: float) -> float | None:
            return None if np.isnan(value) else float(value)

        return tuple(
            ClassReport(
                name=name,
                precision=number(figures.precision[k]),
                precision_low=number(intervals.precision[0, k]),
                precision_high=number(intervals.precision[1, k]),
                recall=number(figures.recall[k]),
                recall_low=number(intervals.recall[0, k]),
                recall_high=number(intervals.recall[1, k]),
                f1=number(figures.f1[k]),
                f1_low=number(intervals.f1[0, k]),
                f1_high=number(intervals.f1[1, k]),
                support=int(figures.support[k]),
                refused=_share(self.refused[self.truth[:, k] > 0]),
            )
            for k, name in enumerate(self.labels.names)
        )

    def _confusion(self) -> tuple[tuple[int, ...], ...]:
        if not self.labels.exclusive:
            return ()
        column = np.where(self.refused, -1, self.stated.argmax(1))
        matrix = metrics.confusion(self.truth.argmax(1), column, len(self.labels.names))
        return tuple(tuple(int(count) for count in row) for row in matrix)


def _share(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if len(flags) else None
