"""When a new bundle is taken back: a sequential test that may be looked at as often as one likes. Pure.

Evidence is a likelihood ratio that is 1 at the start and whose expectation never grows while the new bundle is no worse
than the old one, so by Ville's inequality the chance that it ever reaches 1/a is at most a (Wald 1945; Ville 1939; as
e-processes: Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference", 2023).
It is averaged over several ratios by which the rate of trouble may have grown, as nobody knows it beforehand.

* **By share.** Captures are drawn by hash. While both bundles do equally well, each capture in trouble is the canary's
  with probability `share`, whatever the process does meanwhile and however much wafers of one lot resemble each other.
* **By the past.** A whole tool, or a whole release, has nobody beside it: it is held against the upper confidence limit
  (Clopper and Pearson 1934) of what came before. That assumes that captures are independent and the process stays as
  it was: a bad lot can look like a bad bundle.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

GROWTH = (2.0, 4.0, 8.0, 32.0)
"""Ratios by which the rate of trouble may have grown."""


class Trouble(StrEnum):
    """What is counted; each is tested by itself."""

    NOVEL = "novel"
    UNKNOWN = "unknown"
    """Refused a label, as novel or as unsure."""
    FAILED = "failed"
    """The bundle could not judge at all."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Captures of one bundle, and how many were in which trouble; failed ones are among the captures."""

    captures: int = 0
    troubles: Mapping[Trouble, int] | None = None

    def count(self, trouble: Trouble) -> int:
        """Captures in this trouble."""
        return (self.troubles or {}).get(trouble, 0)

    def rate(self, trouble: Trouble) -> float:
        """Their share; 0 without captures."""
        return self.count(trouble) / self.captures if self.captures else 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A new bundle and what it is held against.

    Attributes:
        new: its captures.
        old: captures of the bundle it would replace, in the same time (`share` given) or before.
        share: of the captures that were drawn for the new one; None = held against the past.
    """

    new: Tally
    old: Tally
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    """A rate that grew beyond doubt: take the bundle back."""

    trouble: Trouble
    trial: Trial
    evidence: float

    def __str__(self) -> str:
        """For people: '12 of 80 captures novel, 31 of 1500 before; evidence 240'."""
        new, old = self.trial.new, self.trial.old
        beside = "with the other bundle" if self.trial.share is not None else "before"
        return (
            f"{new.count(self.trouble)} of {new.captures} captures {self.trouble.value}, "
            f"{old.count(self.trouble)} of {old.captures} {beside}; evidence {min(self.evidence, 1e9):.0f}"
        )


def jump(trials: Iterable[Trial], false_rollback: float) -> Jump | None:
    """The strongest reason to take a new bundle back, if there is one.

    Args:
        trials: of one bundle; the more, the more evidence each must give.
        false_rollback: chance that a bundle that is no worse is ever taken back.
    """
    asked = [(trial, trouble) for trial in trials for trouble in Trouble]
    jumps = [Jump(trouble, trial, evidence(trial, trouble, false_rollback / len(asked))) for trial, trouble in asked]
    beyond = [one for one in jumps if one.evidence >= len(asked) / false_rollback]
    return max(beyond, key=lambda one: one.evidence, default=None)


def evidence(trial: Trial, trouble: Trouble, level: float) -> float:
    """How much likelier the counts are if the new bundle is worse, averaged over `GROWTH`; above 1 speaks against it.

    Args:
        trial: the counts.
        trouble: which.
        level: chance of a false rollback through this one test; half of it goes into the limit of the past.
    """
    new, old = trial.new.count(trouble), trial.old.count(trouble)
    if trial.share is not None:
        ratios = [_log_of_share(new, old, trial.share, growth) for growth in GROWTH]
        return _mean_exp(ratios)
    if not trial.old.captures:
        return 1.0  # nothing to hold it against
    limit = upper_limit(old, trial.old.captures, level / 2)
    good = trial.new.captures - new
    # Half the level is spent on the limit, so that twice the evidence is asked for.
    return _mean_exp([_log_of_rate(new, good, limit, growth) for growth in GROWTH]) / 2


def _log_of_share(new: int, old: int, share: float, growth: float) -> float:
    """Log likelihood ratio of where captures in trouble fell: Bernoulli(grown) against Bernoulli(share)."""
    if share >= 1:
        return 0.0
    grown = share * growth / (share * growth + 1 - share)
    return new * math.log(grown / share) + old * math.log((1 - grown) / (1 - share))


def _log_of_rate(bad: int, good: int, rate: float, growth: float) -> float:
    """Log likelihood ratio of captures in trouble: a rate that grew (at most half of the way to 1) against this one."""
    grown = min(rate * growth, (1 + rate) / 2)
    if grown >= 1:
        return 0.0
    return bad * math.log(grown / rate) + good * math.log((1 - grown) / (1 - rate))


def upper_limit(bad: int, captures: int, level: float) -> float:
    """The rate that is exceeded with confidence 1 - level at most (Clopper and Pearson, Biometrika 1934)."""
    from scipy.stats import beta  # noqa: PLC0415 - half a second, for the housekeeper alone

    return float(beta.ppf(1 - level, bad + 1, captures - bad)) if bad < captures else 1.0


def _mean_exp(logs: list[float]) -> float:
    largest = max(logs)
    return math.exp(min(largest, 700.0)) * sum(math.exp(one - largest) for one in logs) / len(logs)
