"""What a set of answers is worth: the same figures for a bundle, a baseline and a rule without eyes."""

from dataclasses import dataclass

from pipelines.evaluation.metrics import Interval


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class; shares in 0..1, None where a figure does not exist.

    Attributes:
        name: of the class.
        precision: of the patches stated to be it.
        precision_low: lower end of the 95 % interval over lots.
        precision_high: upper end; likewise below.
        recall: of the patches that are it; a refused patch is a missed one.
        f1: of both.
        support: tested patches.
        refused: share of its patches that was refused a label.
    """

    name: str
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    support: int
    refused: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Figures of answers to patches of known classes; shares in 0..1.

    Attributes:
        patches: tested patches.
        groups: lots or frames they are from.
        macro_f1: of the stated labels; a refused patch counts as missed. With its 95 % interval over lots.
        forced_macro_f1: as if nothing were refused.
        accuracy: share of exactly right statements.
        balanced_accuracy: mean recall.
        worst_recall: of any class.
        normal_false_alarms: share of normal patches stated to be defective.
        normal_refused: share of normal patches refused a label; a person looks at those too.
        missed: share of defective patches stated to be normal.
        refused: share of the patches refused a label; compare with the recipe's budget.
        classes: one row each.
        confusion: rows true, columns stated, the last one "unknown"; empty where labels are not exclusive.
    """

    patches: int
    groups: int
    macro_f1: Interval
    forced_macro_f1: float
    accuracy: float
    balanced_accuracy: float
    worst_recall: float
    normal_false_alarms: float | None
    normal_refused: float | None
    missed: float | None
    refused: float
    classes: tuple[ClassReport, ...]
    confusion: tuple[tuple[int, ...], ...]
