"""The kinds of rules: what each may say, checked word by word (pydantic)."""

from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from models.domain.alert import Quiet, Severity
from models.domain.verdict import Reason
from models.spc.charts import RunRule

EACH_CLASS: Final = "each class"
FAILING: Final = "failing"
UNKNOWN: Final = "unknown"
"""What a rule over several captures may count besides the classes it names."""
Share = Annotated[float, Field(gt=0, lt=1)]
Minutes = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """A frozen section; a misspelt or unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Where(Part):
    """Which captures a rule is for: shell patterns, any of which fits; none given means all."""

    product: tuple[str, ...] = ()
    step: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()

    def covers(self, product: str | None, step: str | None, tool: str | None) -> bool:
        """Whether a place is among them; one that is not stated fits only where nothing is asked."""
        return all(
            not patterns or (value is not None and any(fnmatchcase(value, pattern) for pattern in patterns))
            for patterns, value in ((self.product, product), (self.step, step), (self.tool, tool))
        )


class Escalation(Part):
    """Who hears of it when nobody acknowledges: names of channels, after some minutes."""

    after_min: Annotated[float, Field(gt=0)]
    to: Annotated[tuple[str, ...], Field(min_length=1)]


class RuleBase(Part):
    """What every rule says.

    Attributes:
        name: stands in alerts, metrics and histories; do not change it lightly.
        severity: how soon a person must act.
        action: what the operator should do; a rule nobody can act on is noise.
        where: which captures it is for.
        tell: channels that hear of it; left out, those marked `default` in the file of channels.
        window_min: while nobody acknowledges, repeats are told once in this time.
        cool_down_min: after closing, repeats within this time open no new alert.
        escalate: who hears of it when nobody acknowledges.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    severity: Severity
    action: Annotated[str, Field(min_length=1)]
    where: Where = Where()
    tell: tuple[str, ...] | None = None
    window_min: Annotated[float, Field(gt=0)] = 480
    cool_down_min: Minutes = 0
    escalate: Escalation | None = None

    @property
    def quiet(self) -> Quiet:
        """The same in the words of the domain."""
        later = self.escalate
        return Quiet(
            window=timedelta(minutes=self.window_min),
            cool_down=timedelta(minutes=self.cool_down_min),
            tell=self.tell,
            escalate_after=None if later is None else timedelta(minutes=later.after_min),
            escalate_to=() if later is None else later.to,
        )


class PatternRule(RuleBase):
    """A known defect class on one capture; without `labels` every class but the normal one and the `except`ed."""

    kind: Literal["pattern"]
    labels: tuple[str, ...] = ()
    except_: Annotated[tuple[str, ...], Field(alias="except")] = ()
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5


class NoveltyRule(RuleBase):
    """A window that was refused a label; `unsure` counts only where nothing on the capture is `novel`."""

    kind: Literal["novelty"]
    reason: Literal[Reason.NOVEL, Reason.UNSURE]


class StreamRule(RuleBase):
    """Several captures of one stream: one product at one step on one tool, or all products there.

    Attributes:
        of: what is counted: 'each class' by itself, 'failing' (any but normal), 'unknown', or the classes named.
        min_confidence: from which a class counts.
        by_product: False lays all products of a step and tool together.
    """

    of: tuple[str, ...] | Literal["each class", "failing", "unknown"] = EACH_CLASS
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    by_product: bool = True

    @model_validator(mode="after")
    def _one_stream(self) -> Self:
        if self.where.product and not self.by_product:
            raise ValueError("where.product needs by_product: true, or other products would be counted, too")
        return self


class RepeatRule(StreamRule):
    """At least n of the last m captures show it; ends when no more than `clear` of them do."""

    kind: Literal["repeat"]
    n: Annotated[int, Field(ge=2)]
    m: Annotated[int, Field(ge=2, le=1000)]
    clear: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.clear < self.n <= self.m:
            raise ValueError(f"expected clear < n <= m, got clear={self.clear}, n={self.n}, m={self.m}")
        return self


class CusumChart(Part):
    """Finds a share that rose for good; see `models.spc.charts.cusum`."""

    kind: Literal["cusum"]
    shift: Annotated[float, Field(gt=1)]
    false_alarm_every: Annotated[float, Field(gt=1)]


class EwmaChart(Part):
    """A weighted mean of the newest captures; see `models.spc.charts.ewma`."""

    kind: Literal["ewma"]
    weight: Share
    sigmas: Annotated[float, Field(gt=0)]


class ShareChart(Part):
    """The share per interval of time (p-chart); see `models.spc.charts.shares`. Run rules are off unless named."""

    kind: Literal["p"]
    interval_min: Annotated[float, Field(gt=0)]
    smallest: PositiveInt
    false_alarm_every: Annotated[float, Field(gt=1)]
    runs: tuple[RunRule, ...] = ()


class RateRule(StreamRule):
    """The share of a stream left its usual range.

    Attributes:
        chart: which control chart judges.
        baseline: captures the usual share is estimated from, before the judged ones.
        min_baseline: fewest of them; with less nothing is said.
        reach: captures that are judged together with the newest one.
        block: captures of a block when an excursion is left out of the usual share; a lot.
    """

    kind: Literal["rate"]
    chart: Annotated[CusumChart | EwmaChart | ShareChart, Field(discriminator="kind")]
    baseline: Annotated[int, Field(ge=10, le=5000)] = 400
    min_baseline: Annotated[int, Field(ge=10)] = 100
    reach: Annotated[int, Field(ge=5, le=5000)] = 200
    block: PositiveInt = 25


class FileEvent(StrEnum):
    """What can become of a file instead of an inspection."""

    QUARANTINE = "quarantine"
    DEAD = "dead"
    REFUSED = "refused"


class FileRule(RuleBase):
    """A file that could not be inspected; left out of a file of rules, the shipped rule for that event holds."""

    kind: Literal["file"]
    event: FileEvent


class HealthRule(RuleBase):
    """The model or the intake: asked once in each `every_min`, so an alert counts such periods."""

    every_min: Annotated[float, Field(gt=0)] = 10


class ModelRule(HealthRule):
    """The model does worse than it promised: a share of the newest captures judged by one bundle.

    Attributes:
        signal: 'unknown' = refused a label, 'unsure' = refused between known classes.
        share: from which share on it is an alert.
        last: captures that are looked at.
        smallest: fewest of them.
    """

    kind: Literal["model"]
    signal: Literal["unknown", "unsure"]
    share: Share
    last: PositiveInt
    smallest: PositiveInt


class DriftRule(HealthRule):
    """What a bundle judges is no longer what it was calibrated on; see `services.alerting.drift_rules`.

    Attributes:
        stability: population stability index of confidence or novelty from which on it is an alert.
        false_alarm: chance of an alert at one asking of one bundle if nothing has changed.
        last: captures that are looked at, few of each lot.
        smallest: fewest of them.
    """

    kind: Literal["drift"]
    stability: Annotated[float, Field(gt=0)] = 0.25
    false_alarm: Annotated[float, Field(gt=0, lt=1)] = 0.001
    last: PositiveInt = 500
    smallest: PositiveInt = 100


class IntakeRule(HealthRule):
    """Files do not come, or do not get through.

    Attributes:
        signal: 'tool silent' = nothing from a tool for `after_min`, though it sent something in the `memory_h` before;
            'backlog' = the oldest file waits longer than `after_min`; 'set aside' = `share` of the `last` files.
    """

    kind: Literal["intake"]
    signal: Literal["tool silent", "backlog", "set aside"]
    after_min: Annotated[float, Field(gt=0)] = 60
    memory_h: Annotated[float, Field(gt=0)] = 72
    share: Share = 0.1
    last: PositiveInt = 100
    smallest: PositiveInt = 20


Rule = Annotated[
    PatternRule | NoveltyRule | RepeatRule | RateRule | FileRule | ModelRule | DriftRule | IntakeRule,
    Field(discriminator="kind"),
]
