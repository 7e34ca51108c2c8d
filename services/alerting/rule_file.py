"""The rules of an installation: one reviewed YAML file that says what is an alert, how grave, and what to do.

The file shipped as `services/alerting/rules.yaml` is used where WAFERWATCH_RULES names no other; it is also the
example, with a reason beside each number. Order matters: of the rules for single captures the first that takes a
pattern decides, as in a firewall.
"""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import Field, PositiveInt, model_validator

from models.domain.errors import ConfigurationError
from models.yaml_file import checked, parse_yaml, read_yaml
from services.alerting.rule_kinds import FileEvent, FileRule, Part, Rule, RuleBase

SHIPPED = Path(__file__).with_name("rules.yaml")
Kind = TypeVar("Kind", bound=RuleBase)


class Budget(Part):
    """What people can answer (EEMUA 191: about one alarm in ten minutes; more than ten are a flood).

    Attributes:
        operators: who share the alerts of this installation.
        per_10_min: alerts an operator can answer in ten minutes.
        flood: from which number in ten minutes nobody can.
    """

    operators: PositiveInt = 1
    per_10_min: Annotated[float, Field(gt=0)] = 1
    flood: Annotated[float, Field(gt=0)] = 10

    @property
    def in_10_min(self) -> float:
        """Alerts that all operators together can answer in ten minutes."""
        return self.operators * self.per_10_min

    @property
    def flooding(self) -> float:
        """Alerts in ten minutes above which nobody can answer."""
        return self.operators * self.flood


class Rules(Part):
    """All rules, and the budget they are held against."""

    version: Literal[1]
    budget: Budget = Budget()
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules of the same name: {', '.join(twice)}")
        events = [rule.event for rule in self.of(FileRule)]
        if len(set(events)) != len(events):
            raise ValueError("more than one rule for the same event of a file")
        return self

    def of(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """The rules of a kind, in their order."""
        return tuple(rule for rule in self.rules if isinstance(rule, kind))

    def for_file(self, event: FileEvent) -> FileRule:
        """The rule for what became of a file: nobody can forget that one by leaving it out."""
        own = [rule for rule in self.of(FileRule) if rule.event is event]
        return own[0] if own else shipped_rules().for_file(event)

    @property
    def channels(self) -> frozenset[str]:
        """Every channel that some rule names."""
        named = [name for rule in self.rules for name in (*(rule.tell or ()), *rule.quiet.escalate_to)]
        return frozenset(named)

    def check_channels(self, known: Collection[str], where: str) -> None:
        """Refuse rules that tell channels nobody set up.

        Raises:
            ConfigurationError: names them.
        """
        missing = sorted(self.channels - set(known))
        if missing:
            raise ConfigurationError(
                "rules tell channels that are not set up",
                where=where,
                expected=" | ".join(sorted(known)) or "no channel at all",
                got=", ".join(missing),
                remedy="add them to the file that WAFERWATCH_CHANNELS names, or tell others",
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of rules.

        Raises:
            ConfigurationError: no such file, not YAML, or not rules; says which key.
        """
        return cls._of(read_yaml(path, "rules"), str(path))

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Check the text of a file of rules.

        Raises:
            ConfigurationError: names the first wrong key and counts the others.
        """
        return cls._of(parse_yaml(text, what="rules", where=where, code="bad-rules"), where)

    @classmethod
    def _of(cls, content: Any, where: str) -> Self:
        remedy = "correct the file; services/alerting/rules.yaml is a working one"
        return checked(cls, content, what="rules", where=where, remedy=remedy, code="bad-rules")


@cache
def shipped_rules() -> Rules:
    """The rules that come with waferwatch."""
    return Rules.load(SHIPPED)


def rules_at(path: Path | None) -> Rules:
    """The rules of an installation.

    Raises:
        ConfigurationError: they are wrong.
    """
    return shipped_rules() if path is None else Rules.load(path)


def as_yaml(rules: Rules) -> str:
    """Rules as text, with everything they leave to the defaults spelt out."""
    content: Any = rules.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
