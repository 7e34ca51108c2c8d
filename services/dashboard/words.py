"""Numbers and verdicts in plain words: what an operator reads first must not need a manual."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from models.domain.verdict import Reason

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")
"""As the journal keeps moments."""


class Judged(Protocol):
    """A verdict, or the line of an inspection: both carry these."""

    @property
    def label(self) -> str | None:
        """The label stated."""

    @property
    def confidence(self) -> float:
        """Of the likeliest class."""

    @property
    def novelty(self) -> float:
        """Higher is stranger."""

    @property
    def reason(self) -> Reason:
        """Why."""

    @property
    def is_unknown(self) -> bool:
        """Refused a label."""


def kind(judged: Judged, normal: str | None) -> str:
    """One of 'normal', 'defect', 'unknown', 'not inspected': decides colours and marks."""
    if judged.is_unknown:
        return "unknown"
    if judged.label is None:
        return "not inspected"
    return "normal" if judged.label == normal else "defect"


def name(judged: Judged) -> str:
    """The verdict as a headline."""
    if judged.is_unknown:
        return "Unknown pattern"
    return judged.label or "Not inspected"


class Troubled(Protocol):
    """The line of an alert."""

    @property
    def title(self) -> str:
        """One line, often ending in where it is."""

    @property
    def product(self) -> str | None:
        """Product."""

    @property
    def step(self) -> str | None:
        """Step."""

    @property
    def tool(self) -> str | None:
        """Tool."""

    @property
    def inspection_id(self) -> str | None:
        """Set where captures show the trouble, not files."""

    @property
    def count(self) -> int:
        """How many."""


def headline(alert: Troubled) -> str:
    """An alert's title without the place, for pages that show the place beside it."""
    place = " · ".join(part for part in (alert.product, alert.step, alert.tool) if part)
    return alert.title.removesuffix(f" · {place}") if place else alert.title


def subjects(alert: Troubled) -> str:
    """What an alert's count counts."""
    one = "file" if alert.inspection_id is None else "capture"
    return one if alert.count == 1 else f"{one}s"


def pattern(name_: str) -> str:
    """What an alert is about; rules on strangers file them under the reason a label was refused."""
    return {Reason.NOVEL.value: "unknown pattern", Reason.UNSURE.value: "between known classes"}.get(name_, name_)


def why(
    judged: Judged,
    *,
    likeliest: str | None,
    runner_up: str | None,
    runner_up_confidence: float,
    confidence_limit: float | None,
    novelty_limit: float | None,
) -> str:
    """One or two sentences that say how the verdict came about.

    Args:
        judged: the verdict.
        likeliest: the class an unknown would have been forced into.
        runner_up: second likeliest class.
        runner_up_confidence: its probability, 0..1.
        confidence_limit: least confidence for which a label is stated, None if it is not known here.
        novelty_limit: novelty above which none is stated, None if it is not known here.
    """
    nearest = likeliest or judged.label or "none"
    if judged.reason is Reason.NOT_INSPECTED:
        return "No tool looked at this place, so nothing is stated about it."
    if judged.reason is Reason.NOVEL:
        limit = "" if novelty_limit is None else f" ({share_of(judged.novelty, novelty_limit)} the limit)"
        return (
            f"This does not look like anything the model was taught{limit}. The nearest pattern it knows is {nearest}, "
            f"but it is refused that label: a person should look."
        )
    if judged.reason is Reason.UNSURE:
        limit = "" if confidence_limit is None else f"; a label needs {percent(confidence_limit)}"
        second = f" {nearest} or {runner_up}" if runner_up else f" {nearest}"
        return f"The model cannot decide between{second}: {percent(judged.confidence)} for the likelier one{limit}."
    rival = ""
    if runner_up is not None and runner_up_confidence >= 0.005:
        rival = f" The next likeliest is {runner_up} with {percent(runner_up_confidence)}."
    return f"The model is {percent(judged.confidence)} sure that this is {judged.label}.{rival}"


def share_of(value: float, limit: float) -> str:
    """How a value compares with its limit: '1.6 times'."""
    if limit <= 0:
        return "above"
    times = value / limit
    return f"{times:.2f} times" if times < 10 else f"{times:.0f} times"


def percent(share: float) -> str:
    """A share as whole per cent; never 0 % or 100 % unless it is exactly that."""
    value = 100 * share
    if 0 < value < 1:
        return "< 1 %"
    if 99 < value < 100:
        return "> 99 %"
    return f"{value:.0f} %"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    return f"{span((now - moment).total_seconds())} ago" if (now - moment).total_seconds() >= 10 else "just now"


def span(seconds: float) -> str:
    """A duration in its largest unit: '45 s', '12 min', '3 h', '2 d'; below ten seconds with a decimal."""
    if seconds < 0.995:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for limit, unit, name_ in ((90, 1, "s"), (5400, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name_}"
    return f"{seconds / 86400:.0f} d"


def size(count: int) -> str:
    """Bytes in the unit people use for files."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{count} bytes"


def thousands(number: float) -> str:
    """A whole number with thin spaces between its thousands, as ISO 80000 writes them."""
    return f"{number:,.0f}".replace(",", "\u202f")


def plural(number: int, one: str, many: str = "") -> str:
    """'1 wafer', '3 wafers'."""
    return f"{thousands(number)} {one if number == 1 else many or one + 's'}"


def counts(by_label: Mapping[str, int], normal: str | None) -> str:
    """Windows per label in one line, defects first, the normal ones last."""
    order = sorted(by_label, key=lambda label: (label == normal, -by_label[label], label))
    return ", ".join(f"{label} {thousands(by_label[label])}" for label in order)


def told(detail: Mapping[str, object]) -> str:
    """What a line of the journal says besides: 'until: 2026-03-01 06:00 UTC; tool: T9'; what is empty is left out."""
    parts = ((key.replace("_", " "), _plain(value)) for key, value in detail.items())
    return "; ".join(f"{key}: {text}" for key, text in parts if text)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    if _MOMENT.fullmatch(text):
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return text
