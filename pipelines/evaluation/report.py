"""The result of an evaluation: plain data that becomes a table, JSON or a card."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pipelines.evaluation.floor import Floor
from pipelines.evaluation.operating import Operating
from pipelines.evaluation.scores import Scores


@dataclass(frozen=True, slots=True)
class OpenSetReport:
    """How strangers fare.

    Attributes:
        strangers: patches of classes that were never learned.
        refused: share of them that was refused a label.
        auroc: chance that a stranger is more novel than a known patch.
        auroc_defects: the same against known defects alone, the harder question; None where nothing is normal.
        aupr: average precision of finding strangers among the tested patches.
        fpr_at_95: strangers accepted where 95 % of the known are.
        oscr: area under right answers over accepted strangers.
    """

    strangers: int
    refused: float
    auroc: float
    auroc_defects: float | None
    aupr: float
    fpr_at_95: float
    oscr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Scores):
    """Everything an evaluation says: the scores, and what they are of.

    Attributes:
        bundle: name and version of the model.
        digest: of the bundle.
        dataset: name.
        fingerprint: of the dataset.
        protocol: in words: which samples, grouped how, and whether the model was trained on their neighbours.
        calibration_error: of the likeliest class's probability.
        open_set: if the data hold strangers.
        operating: where each class's probability can be cut.
        floor: rules that never look at a defect.
        seconds: of judging.
    """

    bundle: str
    digest: str
    dataset: str
    fingerprint: str
    protocol: str
    calibration_error: float | None
    open_set: OpenSetReport | None
    operating: tuple[Operating, ...]
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
            named |= {f"recall.{row.name}": row.recall, f"precision.{row.name}": row.precision}
            named |= {f"f1.{row.name}": row.f1, f"support.{row.name}": row.support}
        for cut in self.operating:
            named |= {f"auroc.{cut.name}": cut.auroc, f"average_precision.{cut.name}": cut.average_precision}
        if self.open_set is not None:
            named |= {f"open_set.{name}": value for name, value in asdict(self.open_set).items()}
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
