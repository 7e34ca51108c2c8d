"""A registry in memory, with three versions: one that judged, one that judges, one the gate refused."""

from dataclasses import replace
from datetime import UTC, datetime

from models.domain.errors import InputError, RetryableError
from pipelines.registry import Opened, Version
from services.api.model_shelf import Look

MARCH = datetime(2026, 3, 1, 6, tzinfo=UTC)
FIGURES = {
    "test.macro_f1": 0.884, "test.normal_false_alarms": 0.0021, "test.missed": 0.018, "test.recall.Ring": 0.92,
    "test.recall.Scratch": 0.66, "test.support.Ring": 410, "test.support.Scratch": 120,
}  # fmt: skip


class FakeModels:
    """Behaves as `services.api.model_shelf.Models` says."""

    def __init__(self, *found: Version) -> None:
        self.name, self.alias = "wafer", "champion"
        self.versions = found or three()
        self.away = ""
        self.opened: dict[str, Opened] = {}

    def look(self) -> Look:
        return Look(self.versions, None if self.away == "ever" else MARCH, self.away)

    def open(self, number: str) -> Opened:
        if number in self.opened:
            return self.opened[number]
        raise RetryableError("MLflow does not answer", where=f"version {number}")

    def promote(self, number: str, seen: str | None) -> None:
        if self.away:
            raise RetryableError("MLflow does not answer")
        holder = self.look().holder(self.alias)
        if (holder.number if holder else None) != seen:
            raise InputError("somebody else changed the model meanwhile", code="champion-changed")
        kept = {one.number: tuple(a for a in one.aliases if a not in ("champion", "previous")) for one in self.versions}
        kept[number] = ("champion",)
        if seen is not None:
            kept[seen] = (*kept[seen], "previous")
        self.versions = tuple(replace(one, aliases=kept[one.number]) for one in self.versions)


def three() -> tuple[Version, ...]:
    first = Version(
        "1", "1a" * 32, "da" * 32, MARCH, ("previous",), "passed", (), None, {}, FIGURES | {"test.macro_f1": 0.861}
    )
    second = replace(first, number="2", aliases=("champion",), against="1", figures=FIGURES)
    worse = FIGURES | {"test.recall.Scratch": 0.41, "test.macro_f1": 0.83}
    third = replace(
        first, number="3", aliases=("challenger",), gate="refused", against="2", figures=worse, against_figures=FIGURES,
        reasons=("recall of Scratch falls from 0.660 to 0.410, by more than its noise 0.120",),
    )  # fmt: skip
    return third, second, first
