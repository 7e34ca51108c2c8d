"""An alert: something a person must act on."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
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
class Alert:
    """A reason to act, as a rule raised it.

    Attributes:
        fingerprint: groups repeats.
        severity: how soon.
        title: one line for the list.
        action: what the operator should do.
        inspection_id: the inspection that raised it, if one did.
        raised_at: when, UTC, with zone.
    """

    fingerprint: Fingerprint
    severity: Severity
    title: str
    action: str
    inspection_id: str | None
    raised_at: datetime
