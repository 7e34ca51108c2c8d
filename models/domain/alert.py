"""An alert: something a person must act on."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How soon a person must act."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Life of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    FALSE_ALARM = "false alarm"

    @property
    def is_closed(self) -> bool:
        """True for the states in which an alert gathers no more repeats."""
        return self in (AlertState.RESOLVED, AlertState.FALSE_ALARM)


class Disposition(StrEnum):
    """Why an alert was closed: the reason codes people choose from."""

    TOOL_FIXED = "tool fixed"
    PROCESS_FIXED = "process fixed"
    LOT_HELD = "lot held"
    LOT_SCRAPPED = "lot scrapped"
    ACCEPTED = "accepted as it is"
    NUISANCE = "nuisance defects"
    WRONG_PATTERN = "wrong pattern"
    MEASUREMENT = "measurement fault"

    @property
    def is_false_alarm(self) -> bool:
        """True for reasons why there was nothing to act on."""
        return self in (Disposition.NUISANCE, Disposition.WRONG_PATTERN, Disposition.MEASUREMENT)


class SilenceKind(StrEnum):
    """Why nobody wants to hear of something."""

    SILENCE = "silence"
    """Known trouble: alerts are opened and counted, but tell nobody and stand aside until it ends."""
    MAINTENANCE = "maintenance"
    """Expected trouble, such as test wafers on a tool being repaired: findings open no alert and are only counted."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes two alerts the same: repeated wafers with one trouble are one alert with a count."""

    rule: str
    pattern: str
    product: str | None = None
    step: str | None = None
    tool: str | None = None

    @property
    def key(self) -> str:
        """Stable hash, hex."""
        parts = (self.rule, self.pattern, self.product or "", self.step or "", self.tool or "")
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Quiet:
    """How often people hear of one trouble.

    Attributes:
        window: while nobody has acknowledged it, repeats are told once in this time.
        cool_down: after it was closed, repeats within this time are counted where they belong and open no new alert:
            they are mostly wafers that were on their way when somebody acted.
        tell: names of the channels that hear of it; None = those that hear of everything.
        escalate_after: how long it may stay unacknowledged before others hear of it, too; None = for ever.
        escalate_to: names of those channels.
    """

    window: timedelta = timedelta(hours=8)
    cool_down: timedelta = timedelta(0)
    tell: tuple[str, ...] | None = None
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """A reason to act, as a rule raised it of one subject.

    Attributes:
        fingerprint: groups repeats.
        subject: hash of what is in trouble: a capture's id, the hash of a file, or a stretch of time. One subject
            counts once.
        severity: how soon.
        title: one line for the list.
        action: what the operator should do.
        inspection_id: the inspection that raised it, if one did.
        quiet: how often people hear of it.
    """

    fingerprint: Fingerprint
    subject: str
    severity: Severity
    title: str
    action: str
    inspection_id: str | None = None
    quiet: Quiet = Quiet()
