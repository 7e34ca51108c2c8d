"""The gate: may this bundle take the champion's place? Compared on the test split both were measured on."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from models.bundle import BundleManifest

FALSE_ALARM_BUDGET = 0.01
"""Share of normal patches that may be called defective: beyond one in a hundred, people stop believing alerts."""
FALSE_ALARM_SLACK = 0.002
"""Share of normal patches by which false alarms may rise however many were tested: one wafer in five hundred."""
STRANGER_SLACK = 0.02
"""Points of AUROC by which strangers may be told apart worse: about what another seed changes."""
_RECALL = "test.recall."
_SHARES = {
    "test.normal_false_alarms": "false alarms",
    "test.missed": "defects called normal",
}
_TOLD_APART = {
    "test.open_set.auroc": "AUROC of strangers",
    "test.open_set.oscr": "OSCR of strangers",
    "left_out.auroc": "AUROC of classes left out, their mean",
    "left_out.worst_auroc": "AUROC of the worst class left out",
    "strangers.auroc": "AUROC of simulated patterns and pictures",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both bundles.

    Attributes:
        what: the figure.
        before: the champion's; None = it has none.
        after: the challenger's; None = it has none.
        slack: what it may be worse by: its noise, or a fixed share.
        reason: why it speaks against the release; empty if it does not.
    """

    what: str
    before: float | None
    after: float | None
    slack: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a bundle may be released, and why not.

    Attributes:
        passed: True if nothing speaks against it.
        reasons: one line for each thing that does.
        compared_with: version of the champion; None = there was none.
        compared: every figure that was looked at.
    """

    passed: bool
    reasons: tuple[str, ...]
    compared_with: str | None
    compared: tuple[Compared, ...] = ()

    def to_json(self) -> str:
        """All of it, for machines."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def markdown(self) -> str:
        """The report that is attached to the version."""
        against = f"against version {self.compared_with}" if self.compared_with else "nothing to compare with"
        lines = [f"# Gate: {'passed' if self.passed else 'refused'}, {against}", ""]
        lines += [*(f"* {reason}" for reason in self.reasons), ""] if self.reasons else []
        lines += ["| figure | champion | this one | may be worse by | |", "|---|---:|---:|---:|---|"]
        for row in self.compared:
            numbers = " | ".join("–" if value is None else f"{value:.4f}" for value in (row.before, row.after))
            lines.append(f"| {row.what} | {numbers} | {row.slack:.4f} | {'refused' if row.reason else ''} |")
        return "\n".join([*lines, ""])


def gate(
    challenger: BundleManifest,
    champion: BundleManifest | None,
    version: str | None,
    *,
    false_alarms: float = FALSE_ALARM_BUDGET,
) -> GateResult:
    """Hold a challenger against the champion and against the budget of false alarms.

    It passes if no class's recall falls by more than its noise, false alarms keep within the budget and rise no more
    than misses do, and strangers are told apart and refused no worse. Noise is 1.96 standard errors of the difference
    of two shares; lots make the true noise larger, so the gate errs on the side of refusing.

    Args:
        challenger: measured on its test split.
        champion: the bundle to be replaced, if there is one.
        version: of the champion in the registry.
        false_alarms: share of normal patches that may be called defective.
    """
    rows = [*_budget(challenger, false_alarms)]
    if champion is not None and challenger.data_fingerprint != champion.data_fingerprint:
        reason = "measured on other data than the champion: train both on one dataset, or force the release and say why"
        return GateResult(False, (reason,), version, tuple(rows))
    if champion is not None:
        rows += [*_classes(challenger, champion), *_shares(challenger, champion), *_strangers(challenger, champion)]
    reasons = tuple(row.reason for row in rows if row.reason)
    return GateResult(not reasons, reasons, version if champion is not None else None, tuple(rows))


def _budget(challenger: BundleManifest, budget: float) -> Iterator[Compared]:
    """The budget holds also for the first bundle, as far as its normal patches are enough to tell."""
    share = challenger.metrics.get("test.normal_false_alarms")
    if share is None:
        return
    normal = challenger.metrics.get(f"test.support.{challenger.labels.normal}", 0)
    slack = noise(share, budget, normal)
    reason = f"false alarms of {share:.2%} exceed the budget of {budget:.2%}" if share > budget + slack else ""
    yield Compared("false alarms against the budget", budget, share, slack, reason)


def _classes(challenger: BundleManifest, champion: BundleManifest) -> Iterator[Compared]:
    for key, before in champion.metrics.items():
        if not key.startswith(_RECALL):
            continue
        name = key.removeprefix(_RECALL)
        after = challenger.metrics.get(key)
        if after is None:
            yield Compared(f"recall of {name}", before, None, 0.0, f"class {name} is not measured any more")
            continue
        slack = noise(before, after, champion.metrics.get(f"test.support.{name}", 0))
        reason = f"recall of {name} falls from {before:.3f} to {after:.3f}, by more than its noise {slack:.3f}"
        yield Compared(f"recall of {name}", before, after, slack, reason if after < before - slack else "")


def _shares(challenger: BundleManifest, champion: BundleManifest) -> Iterator[Compared]:
    for key, words in _SHARES.items():
        before, after = champion.metrics.get(key), challenger.metrics.get(key)
        if before is not None and after is not None:
            worse = after > before + FALSE_ALARM_SLACK
            reason = f"{words} rise from {before:.2%} to {after:.2%}"
            yield Compared(words, before, after, FALSE_ALARM_SLACK, reason if worse else "")


def _strangers(challenger: BundleManifest, champion: BundleManifest) -> Iterator[Compared]:
    for key, words in _TOLD_APART.items():
        before, after = champion.metrics.get(key), challenger.metrics.get(key)
        if before is None:
            continue
        reason = ""
        if after is None:
            reason = f"{words} is not measured any more"
        elif after < before - STRANGER_SLACK:
            reason = f"{words} falls from {before:.3f} to {after:.3f}"
        yield Compared(words, before, after, STRANGER_SLACK, reason)
    before, after = (bundle.metrics.get("test.open_set.refused") for bundle in (champion, challenger))
    if before is not None and after is not None:
        slack = noise(before, after, champion.metrics.get("test.open_set.strangers", 0))
        reason = f"strangers refused fall from {before:.1%} to {after:.1%}, by more than their noise {slack:.1%}"
        yield Compared("strangers refused", before, after, slack, reason if after < before - slack else "")


def noise(before: float, after: float, patches: float) -> float:
    """1.96 standard errors of the difference of two shares of so many patches; 1 if nothing is known."""
    if patches < 1:
        return 1.0
    # Agresti-Coull's four extra patches keep shares of 0 and 1 from having no noise at all.
    spread = sum(share * (1 - share) for share in ((p * patches + 2) / (patches + 4) for p in (before, after)))
    return 1.96 * math.sqrt(spread / (patches + 4))
