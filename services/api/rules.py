"""/rules: what is an alert here, what other rules would have raised, and which troubles take most attention."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from models.domain.alert import Severity
from services.access.roles import Role
from services.alerting.replay import Fired, replay
from services.alerting.rule_file import Rules, rules_at
from services.api.needs import needs
from services.api.schemas import PREFIX, Answer, Asked
from services.api.wiring import Wired
from services.records.bad_actors import BadActor, alert_rate, bad_actors
from services.records.session import now

routes = APIRouter(prefix=PREFIX, tags=["alerts"])
LONGEST_DAYS = 92


class RulesTrial(Asked):
    """Rules to try on recorded history."""

    text: str | None = Field(None, max_length=200_000, description="A file of rules (YAML); null = those in force.")
    days: float = Field(7, gt=0, le=LONGEST_DAYS, description="How far back.")


class FiredAnswer(Answer):
    """A trouble that would have been an alert."""

    rule: str
    pattern: str
    product: str | None
    step: str | None
    tool: str | None
    severity: Severity
    title: str
    findings: int = Field(description="Captures, files or periods that show it.")
    told: int = Field(description="Messages to each channel, had nobody acknowledged.")
    first: datetime
    last: datetime

    @classmethod
    def of(cls, view: Fired) -> "FiredAnswer":
        """From a replay."""
        return cls(
            rule=view.rule, pattern=view.pattern, product=view.product, step=view.step, tool=view.tool,
            severity=view.severity, title=view.title, findings=view.findings, told=view.told, first=view.first,
            last=view.last,
        )  # fmt: skip


class BadActorAnswer(Answer):
    """A trouble that opened alerts again and again."""

    rule: str
    pattern: str
    product: str | None
    step: str | None
    tool: str | None
    alerts: int
    findings: int
    false_alarms: int
    share: float = Field(description="Of all alerts of the time.")
    latest: int = Field(description="Its newest alert.")

    @classmethod
    def of(cls, view: BadActor) -> "BadActorAnswer":
        """From the view of the records."""
        return cls(
            rule=view.rule, pattern=view.pattern, product=view.product, step=view.step, tool=view.tool,
            alerts=view.alerts, findings=view.findings, false_alarms=view.false_alarms, share=view.share,
            latest=view.latest_id,
        )  # fmt: skip


class AttentionAnswer(Answer):
    """What alerts asked of people, against what people can answer (EEMUA 191)."""

    days: float
    budget: float = Field(description="Alerts that all operators together can answer in ten minutes.")
    mean: float = Field(description="Alerts opened in ten minutes, mean.")
    worst: int = Field(description="Most in ten minutes.")
    over: int = Field(description="Stretches of ten minutes above the budget.")
    flooded: int = Field(description="Stretches of ten minutes in which nobody could answer.")
    bad_actors: list[BadActorAnswer]


@routes.get("/rules")
def in_force(wired: Wired) -> dict[str, Any]:
    """The rules in force, with what they leave to defaults spelt out."""
    return rules_at(wired.settings.rules).model_dump(mode="json", by_alias=True)


@routes.post("/rules/test")
@needs(Role.ENGINEER)
def tried(wired: Wired, trial: RulesTrial) -> list[FiredAnswer]:
    """Replay recorded history and say what would have fired; nothing is written and nobody is told."""
    rules = rules_at(wired.settings.rules) if trial.text is None else Rules.parse(trial.text, where="text")
    with wired.database.read() as session:
        until = now(session)
        return [FiredAnswer.of(one) for one in replay(session, rules, until - timedelta(days=trial.days), until)]


@routes.get("/bad-actors")
def attention(
    wired: Wired, days: Annotated[float, Query(gt=0, le=366, description="How far back.")] = 7
) -> AttentionAnswer:
    """The troubles that take most of people's attention, and how often alerts came faster than people can answer."""
    budget = rules_at(wired.settings.rules).budget
    with wired.database.read() as session:
        moment = now(session)
        since = moment - timedelta(days=days)
        rate = alert_rate(session, since, moment, budget=budget.in_10_min, flood=budget.flooding)
        worst = bad_actors(session, since)
    return AttentionAnswer(
        days=days, budget=budget.in_10_min, mean=rate.mean, worst=rate.worst, over=rate.over, flooded=rate.flooded,
        bad_actors=[BadActorAnswer.of(one) for one in worst],
    )  # fmt: skip
