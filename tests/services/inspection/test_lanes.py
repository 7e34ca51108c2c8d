"""Several bundles in one service: rules send captures, canaries never cost a wafer, challengers never delay one."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models.domain.errors import ConfigurationError, RetryableError
from services.inspection import shadowing, trying
from services.inspection.judging import PatchClassifier
from services.inspection.shadowing import shadow_once
from services.intake.spool import Spool
from services.records.route_tables import RouteFailureRow, ShadowOutcome
from services.records.session import Database
from services.records.shadows import ShadowLook, route_counts, shadow_counts, shadow_looks
from services.records.tables import JobState
from services.routing import shadows
from services.routing.history import CurrentRouting, apply
from services.routing.routing import Routing
from services.settings import Settings
from tests.services.inspection.faking import FakeClassifier, fake_open, manifest
from tests.services.inspection.test_worker import Line, raising
from tests.services.making import NOON

CHAMPION, CANDIDATE, MEMORY = "b" * 64, "c" * 64, "d" * 64


class Contrary(FakeClassifier):
    """Says Ring wherever the others say Scratch."""

    def classify(self, pixels: Any) -> Any:
        return super().classify(pixels * 2)


class RoutedLine(Line):
    """A line whose installation's route is sent by rule."""

    def __init__(self, database: Database, spool: Spool, home: Path) -> None:
        super().__init__(database, spool)
        from dataclasses import replace

        self.place = replace(self.place, routing=CurrentRouting(database, Settings(home=home)))
        self.bundles: dict[str, FakeClassifier] = {
            "champion": FakeClassifier(manifest(CHAMPION, levels=(-1,))),
            "candidate": Contrary(manifest(CANDIDATE, levels=(-1,))),
            "memory": FakeClassifier(manifest(MEMORY, levels=(-1,))),
        }

    def classifiers(self, route: str, *, is_shadow: bool = False) -> PatchClassifier:
        if route not in self.bundles:
            raise RetryableError("no bundle released", where=route, code="no-bundle")
        return self.bundles[route]

    def apply(self, *rules: dict[str, Any]) -> None:
        routes = {name: {"alias": name} for name in ("champion", "candidate", "memory", "nobody")}
        routing = Routing.parse({"routes": routes, "rules": list(rules)}, "test")
        with self.database.write() as session:
            apply(session, routing, actor="Zoë", note="")

    def judge(self, text: str) -> JobState | None:
        self.send(text)
        worked = self.work(self.classifiers)
        assert worked is not None
        return worked.state

    def judged_by(self) -> list[str]:
        return [one.bundle.digest for one in reversed(self.inspections())]

    def look(self, stop: threading.Event | None = None) -> ShadowOutcome | None:
        return shadow_once(self.place, self.classifiers, stop or threading.Event())

    def looks(self) -> tuple[ShadowLook, ...]:
        with self.database.read() as session:
            return shadow_looks(session, outcome=None).items


@pytest.fixture
def line(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RoutedLine:
    monkeypatch.setattr(trying, "open_captures", fake_open)
    monkeypatch.setattr(shadowing, "open_captures", fake_open)
    return RoutedLine(database, Spool(tmp_path / "spool", limit_bytes=1 << 20), tmp_path)


ALL = {"name": "all", "route": "champion"}
ON_TRIAL = ALL | {"canary": {"route": "candidate", "tools": ["T7"]}}
SHADOWED = ALL | {"shadow": {"route": "candidate"}}


def test_each_capture_of_a_file_goes_by_its_rule(line: RoutedLine) -> None:
    line.apply({"name": "memory", "when": {"tool": "T1"}, "route": "memory"}, ON_TRIAL)
    assert line.judge("T1@1\n1 0\nT7@1 1") is JobState.DONE
    assert sorted(line.judged_by()) == [CHAMPION, CANDIDATE, MEMORY]
    with line.database.read() as session:
        counted = {(one.rule, one.route): one.captures for one in route_counts(session, since=NOON)}
    assert counted == {("memory", "memory"): 1, ("all", "champion"): 1, ("all", "candidate"): 1}


def test_a_job_that_names_its_bundle_is_not_sent_elsewhere(line: RoutedLine) -> None:
    line.apply(ON_TRIAL)
    line.send("T7@1", route=MEMORY)
    line.work(lambda _: line.bundles["memory"])
    assert line.judged_by() == [MEMORY]


def test_a_new_routing_holds_from_the_next_job_on(line: RoutedLine) -> None:
    line.judge("1")
    line.apply({"name": "all", "route": "memory"})
    line.judge("2")
    assert line.judged_by() == [CHAMPION, MEMORY]


@pytest.mark.parametrize(
    "error",
    [ConfigurationError("bundle damaged"), ValueError("nan"), RetryableError("died", code="classifier-unavailable")],
    ids=lambda error: type(error).__name__,
)
def test_a_canary_that_cannot_judge_costs_no_wafer_and_is_remembered(line: RoutedLine, error: Exception) -> None:
    line.apply(ON_TRIAL)
    line.bundles["candidate"].before = raising(error)
    assert line.judge("T7@1") is JobState.DONE
    assert line.judged_by() == [CHAMPION]
    with line.database.read() as session:
        (failure,) = session.scalars(select(RouteFailureRow))
    assert (failure.rule, failure.route, failure.bundle_digest, failure.tool) == ("all", "candidate", CANDIDATE, "T7")


def test_an_overloaded_classifier_is_not_the_canarys_fault(line: RoutedLine) -> None:
    """The job waits like every other; its next try goes to the champion, so that it waits no longer than others."""
    line.apply(ON_TRIAL)
    line.bundles["candidate"].before = raising(RetryableError("full", code="overloaded"))
    assert line.judge("T7@1") is JobState.QUEUED
    line.make_due()
    line.work(line.classifiers)
    assert line.judged_by() == [CHAMPION]
    with line.database.read() as session:
        assert session.scalars(select(RouteFailureRow)).all() == []


def test_a_canary_without_a_bundle_is_none(line: RoutedLine) -> None:
    line.apply(ALL | {"canary": {"route": "nobody", "share": 1.0}})
    assert line.judge("1") is JobState.DONE
    assert line.judged_by() == [CHAMPION]


def test_a_retry_does_not_judge_again_what_the_first_try_recorded(line: RoutedLine) -> None:
    """Although its route means another bundle by now."""
    line.send("1\n2\nbug")
    line.work(line.classifiers)
    line.apply({"name": "all", "route": "memory"})
    line.make_due()
    line.work(line.classifiers)
    assert len(line.inspections()) == 2


def test_a_challenger_looks_when_the_champion_has_spoken_and_changes_nothing(line: RoutedLine) -> None:
    line.apply(SHADOWED)
    asked: list[int] = []
    line.bundles["candidate"].before = lambda: asked.append(len(line.inspections()))
    line.judge("1 0 1")
    assert asked == []
    assert line.look() is ShadowOutcome.DISAGREED
    assert asked == [1], "the champion's inspection was recorded before"
    assert line.look() is None
    assert line.judged_by() == [CHAMPION]
    assert set(line.alerts()) == {"Scratch"}
    (look,) = line.looks()
    assert (look.champion_label, look.challenger_label) == ("Scratch", "Ring")
    assert (look.windows, look.windows_differing) == (3, 2)
    assert [(one.n, one.champion, one.challenger) for one in look.differences] == [
        (0, "Scratch", "Ring"),
        (2, "Scratch", "Ring"),
    ]
    with line.database.read() as session:
        (count,) = shadow_counts(session, since=NOON)
    assert count.disagreement == 1.0
    assert count.words == {("Scratch", "Ring"): 1}


def test_a_challenger_that_agrees_says_so(line: RoutedLine) -> None:
    line.apply(ALL | {"shadow": {"route": "memory"}})
    line.judge("1 99")
    assert line.look() is ShadowOutcome.AGREED


def test_a_challenger_gives_way_to_production(line: RoutedLine) -> None:
    line.apply(SHADOWED)
    line.judge("1")
    line.send("2")
    assert line.look() is None
    assert line.looks()[0].outcome is ShadowOutcome.WAITING
    line.work(line.classifiers)
    assert line.look() is not None
    assert len(line.inspections()) == 2


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ConfigurationError("damaged"), ShadowOutcome.FAILED), (RetryableError("down"), ShadowOutcome.WAITING)],
    ids=["damaged", "down"],
)
def test_a_challenger_in_trouble_troubles_nobody(line: RoutedLine, error: Exception, outcome: ShadowOutcome) -> None:
    line.apply(SHADOWED)
    line.judge("1")
    line.bundles["candidate"].before = raising(error)
    line.look()
    assert line.looks()[0].outcome is outcome
    assert line.judge("2") is JobState.DONE


def test_looks_that_production_has_no_time_for_are_skipped_and_counted(
    line: RoutedLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "MOST_WAITING", 2)
    line.apply(SHADOWED)
    for number in range(4):
        line.judge(f"1 {'0 ' * number}")
    assert [one.outcome.value for one in line.looks()] == ["skipped", "skipped", "waiting", "waiting"]


def test_a_look_that_kills_its_workers_ends(line: RoutedLine) -> None:
    line.apply(SHADOWED)
    line.judge("1")
    line.bundles["candidate"].before = raising(KeyboardInterrupt())
    for _ in range(shadows.MOST_TRIES):
        with pytest.raises(KeyboardInterrupt):
            line.look()
        expire(line)
    assert line.look() is None
    assert (line.looks()[0].outcome, line.looks()[0].error_code) == (ShadowOutcome.FAILED, "worker-silent")


def expire(line: RoutedLine) -> None:
    from sqlalchemy import update

    from services.records.route_tables import ShadowRow

    with line.database.write() as session:
        session.execute(update(ShadowRow).values(lease_until=ShadowRow.asked_at))


def test_the_worker_looks_when_it_is_idle(line: RoutedLine) -> None:
    from services.inspection import work

    line.apply(SHADOWED)
    for number in range(3):
        line.send(f"{number} 1")
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(line.place, line.classifiers, stop, 0.01))
    worker.start()
    eventually(lambda: len(line.looks()) == 3 and all(one.judged_at is not None for one in line.looks()))
    stop.set()
    worker.join(10)
    assert {one.outcome for one in line.looks()} == {ShadowOutcome.DISAGREED}


def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it does not come")
