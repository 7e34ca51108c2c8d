"""How an installation alerts: its rules, and the channels that hear of what its rules leave open."""

from dataclasses import dataclass, field

from services.alerting.rule_file import Rules, shipped_rules


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """Given to everything that may raise an alert.

    Attributes:
        rules: what is an alert, how grave, and what to do.
        channels: names of the channels that hear of alerts whose rule names none.
    """

    rules: Rules = field(default_factory=shipped_rules)
    channels: tuple[str, ...] = ()
