"""The result of an evaluation: plain data that becomes a table, JSON or a card."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pipelines.evaluation.floor import Floor
from pipelines.evaluation.metrics import Interval


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class; shares in 0..1, None where a figure does not exist.

    Attributes:
        name: of the class.
        precision: of the patches stated to be it.
        recall: of the patches that are it; a refused patch is a missed one.
        recall_low: lower end of the 95 % interval over lots.
        recall_high: upper end.
        f1: of both.
        support: tested patches.
        refused: share of its patches that was refused a label.
    """

    name: str
    precision: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    f1: float | None
    support: int
    refused: float | None


@dataclass(frozen=True, slots=True)
class OpenSetReport:
    """How strangers fare.

    Attributes:
        strangers: patches of classes that were never learned.
        refused: share of them that was refused a label.
        auroc: chance that a stranger is more novel than a known patch.
        fpr_at_95: strangers accepted where 95 % of the known are.
        oscr: area under right answers over accepted strangers.
    """

    strangers: int
    refused: float
    auroc: float
    fpr_at_95: float
    oscr: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything an evaluation says.

    Attributes:
        bundle: name and version of the model.
        digest: of the bundle.
        dataset: name.
        fingerprint: of the dataset.
        protocol: in words: which samples, grouped how, and whether the model was trained on their neighbours.
        patches: tested patches of known classes.
        groups: lots or frames they are from.
        macro_f1: of the stated labels; a refused patch counts as missed. With its 95 % interval over lots.
        forced_macro_f1: as if nothing were refused.
        accuracy: share of exactly right statements.
        balanced_accuracy: mean recall.
        worst_recall: of any class.
        normal_false_alarms: share of normal patches stated to be defective.
        normal_refused: share of normal patches refused a label; a person looks at those too.
        missed: share of defective patches stated to be normal.
        refused: share of the known patches refused a label; compare with the recipe's budget.
        calibration_error: of the likeliest class's probability.
        classes: one row each.
        confusion: rows true, columns stated, the last one "unknown"; empty where labels are not exclusive.
        open_set: if the data hold strangers.
        floor: rules that never look at a defect.
        seconds: of judging.
    """

    bundle: str
    digest: str
    dataset: str
    fingerprint: str
    protocol: str
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
    calibration_error: float | None
    classes: tuple[ClassReport, ...]
    confusion: tuple[tuple[int, ...], ...]
    open_set: OpenSetReport | None
    floor: tuple[Floor, ...]
    seconds: float

    def to_json(self) -> str:
        """All of it, for machines; figures that do not exist are null."""
        return json.dumps(_finite(asdict(self)), indent=2, ensure_ascii=False)

    @property
    def figures(self) -> Mapping[str, float]:
        """The single numbers, by name, for the bundle's manifest and the tracker; only those that exist."""
        named: dict[str, float | None] = {
            "macro_f1": self.macro_f1.value,
            "macro_f1.low": self.macro_f1.low,
            "macro_f1.high": self.macro_f1.high,
            "forced_macro_f1": self.forced_macro_f1,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "worst_recall": self.worst_recall,
            "normal_false_alarms": self.normal_false_alarms,
            "normal_refused": self.normal_refused,
            "missed": self.missed,
            "refused": self.refused,
            "calibration_error": self.calibration_error,
        }
        for row in self.classes:
            named |= {f"recall.{row.name}": row.recall, f"f1.{row.name}": row.f1, f"support.{row.name}": row.support}
        if self.open_set is not None:
            named |= {"open_set.auroc": self.open_set.auroc, "open_set.refused": self.open_set.refused}
        return {name: float(value) for name, value in named.items() if value is not None and math.isfinite(value)}


def _finite(value: object) -> object:
    """JSON knows no NaN: a figure that does not exist is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
