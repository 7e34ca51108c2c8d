"""The gate: may this bundle take the champion's place? Compared on the test split both were measured on."""

import math
from dataclasses import dataclass

from models.bundle import BundleManifest

FALSE_ALARM_SLACK = 0.002
"""Share of normal patches by which false alarms may rise however many were tested: one wafer in five hundred."""
STRANGER_SLACK = 0.02
"""Points of AUROC by which strangers may be told apart worse: about what another seed changes."""
_RECALL = "test.recall."
_TOLD_APART = {
    "test.open_set.auroc": "strangers",
    "left_out.auroc": "classes left out, their mean",
    "left_out.worst_auroc": "the worst class left out",
    "strangers.auroc": "simulated patterns and pictures",
}


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a bundle may be released, and why not.

    Attributes:
        passed: True if nothing speaks against it.
        reasons: one line for each thing that does.
        compared_with: version of the champion; None = there was none.
    """

    passed: bool
    reasons: tuple[str, ...]
    compared_with: str | None


def gate(challenger: BundleManifest, champion: BundleManifest | None, version: str | None) -> GateResult:
    """Hold a challenger against the champion.

    It passes if no class's recall falls by more than its noise, neither false alarms nor misses rise, and strangers
    are told apart no worse. Noise is 1.96 standard errors of the difference of two shares; lots make the true noise
    larger, so the gate errs on the side of refusing.

    Args:
        challenger: measured on its test split.
        champion: the bundle to be replaced, if there is one.
        version: of the champion in the registry.
    """
    if champion is None:
        return GateResult(True, (), None)
    if challenger.data_fingerprint != champion.data_fingerprint:
        reason = "measured on other data than the champion: train both on one dataset, or force the release and say why"
        return GateResult(False, (reason,), version)
    reasons = [*_classes(challenger, champion), *_alarms(challenger, champion), *_strangers(challenger, champion)]
    return GateResult(not reasons, tuple(reasons), version)


def _classes(challenger: BundleManifest, champion: BundleManifest) -> list[str]:
    reasons = []
    for key, before in champion.metrics.items():
        if not key.startswith(_RECALL):
            continue
        name = key.removeprefix(_RECALL)
        after = challenger.metrics.get(key)
        if after is None:
            reasons.append(f"class {name} is not measured any more")
            continue
        slack = noise(before, after, champion.metrics.get(f"test.support.{name}", 0))
        if after < before - slack:
            reasons.append(
                f"recall of {name} falls from {before:.3f} to {after:.3f}, by more than its noise {slack:.3f}"
            )
    return reasons


def _alarms(challenger: BundleManifest, champion: BundleManifest) -> list[str]:
    reasons = []
    for key, words in (("test.normal_false_alarms", "false alarms"), ("test.missed", "defects called normal")):
        before, after = champion.metrics.get(key), challenger.metrics.get(key)
        if before is not None and after is not None and after > before + FALSE_ALARM_SLACK:
            reasons.append(f"{words} rise from {before:.2%} to {after:.2%}")
    return reasons


def _strangers(challenger: BundleManifest, champion: BundleManifest) -> list[str]:
    reasons = []
    for key, words in _TOLD_APART.items():
        before, after = champion.metrics.get(key), challenger.metrics.get(key)
        if before is None:
            continue
        if after is None:
            reasons.append(f"AUROC of {words} is not measured any more")
        elif after < before - STRANGER_SLACK:
            reasons.append(f"AUROC of {words} falls from {before:.3f} to {after:.3f}")
    return reasons


def noise(before: float, after: float, patches: float) -> float:
    """1.96 standard errors of the difference of two shares of so many patches; 1 if nothing is known."""
    if patches < 1:
        return 1.0
    # Agresti-Coull's four extra patches keep shares of 0 and 1 from having no noise at all.
    spread = sum(share * (1 - share) for share in ((p * patches + 2) / (patches + 4) for p in (before, after)))
    return 1.96 * math.sqrt(spread / (patches + 4))
