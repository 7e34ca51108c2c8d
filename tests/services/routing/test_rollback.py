"""A bundle that does worse is taken back once, with its reason in the history and an alert; one that does not stays."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from models.domain.alert import Severity
from models.domain.inspection import BundleRef
from models.domain.verdict import Reason
from services.jobs import claim, complete
from services.records import queries
from services.records.session import Database, now
from services.records.store import add_inspection
from services.records.tables import InspectionRow
from services.routing.history import apply, history
from services.routing.lane import Lane
from services.routing.rollback import RolledBack, take_back
from services.routing.routing import Routing
from services.routing.trials import Stint, note_failure
from tests.services.making import POLICY, add_job, capture, inspection, verdict

CHAMPION, CANDIDATE = BundleRef("wafer", "7", "a" * 64), BundleRef("wafer", "8", "c" * 64)
ROUTES = {"champion": {"alias": "champion"}, "candidate": {"alias": "challenger"}}


def routing(**rule: object) -> Routing:
    content = {"routes": ROUTES, "rules": [{"name": "all", "route": "champion", **rule}]}
    return Routing.parse(content | {"guard": {"watch_releases": True}}, "test")


BY_SHARE = routing(canary={"route": "candidate", "share": 0.1})
BY_TOOL = routing(canary={"route": "candidate", "tools": ["T9"]})


class Fab:
    """Inspections by the hundred, without workers."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.count = 0
        self.champion = CHAMPION

    def judge(self, bundle: BundleRef, route: str, captures: int, unknown: int = 0, tool: str = "T1") -> None:
        self.count += 1
        name = f"lot {self.count}"
        job_id = add_job(self.database, name)
        with self.database.write() as session:
            lease = claim(session, "worker", POLICY)
            assert lease is not None
            for number in range(captures):
                said = verdict(None, reason=Reason.NOVEL) if number < unknown else verdict("Normal")
                one = inspection(capture(name, number, captures + 1, tool=tool), said, bundle=bundle)
                add_inspection(
                    session, one, sha256=lease.sha256, job_id=job_id, fence=1, at=now(session), rule="all", route=route
                )
            complete(session, lease)

    def fail(self, captures: int) -> None:
        with self.database.write() as session:
            for number in range(captures):
                broken = capture(f"broken {number}")
                note_failure(
                    session, 1, broken, Lane("all", "candidate"), digest=CANDIDATE.digest, error=ValueError("nan")
                )

    def apply(self, content: Routing) -> None:
        with self.database.write() as session:
            apply(session, content, actor="Zoë", note="trial")

    def take_back(self) -> RolledBack | None:
        def means(route: str) -> Stint:
            ref = self.champion if route == "champion" else CANDIDATE
            return Stint(route, ref.digest, ref.version)

        return take_back(self.database, means, ("webhook",), routing())

    def in_force(self) -> Routing:
        with self.database.read() as session:
            return history(session)[0].routing

    def yesterday(self) -> None:
        with self.database.write() as session:
            session.execute(update(InspectionRow).values(recorded_at=now(session) - timedelta(days=1)))


@pytest.fixture
def fab(database: Database) -> Fab:
    return Fab(database)


def test_a_canary_with_more_unknowns_is_taken_back_once_with_reason_and_alert(fab: Fab) -> None:
    fab.apply(BY_SHARE)
    fab.judge(CANDIDATE, "candidate", 1)  # the trial begins behind the first
    fab.judge(CHAMPION, "champion", 180, unknown=2)
    fab.judge(CANDIDATE, "candidate", 20, unknown=8)
    taken = fab.take_back()
    assert taken is not None
    assert (taken.rule, taken.bundle.digest, taken.why.trouble.value) == ("all", CANDIDATE.digest, "novel")
    assert fab.in_force().rules[0].canary is None
    with fab.database.read() as session:
        change = history(session)[0]
        (alert,) = queries.alerts(session).items
    assert change.actor == "waferwatch"
    assert "8 of 20 captures novel, 2 of 180 with the other bundle" in change.note
    assert (alert.rule, alert.severity, alert.count) == ("rollback", Severity.CRITICAL, 1)
    assert fab.take_back() is None


@pytest.mark.parametrize("unknown", [2, 20])
def test_a_canary_that_does_as_the_champion_does_stays(fab: Fab, unknown: int) -> None:
    """Also when the process gives both of them many strange wafers."""
    fab.apply(BY_SHARE)
    fab.judge(CANDIDATE, "candidate", 1)
    fab.judge(CHAMPION, "champion", 180, unknown=9 * unknown // 2)
    fab.judge(CANDIDATE, "candidate", 20, unknown=unknown // 2)
    assert fab.take_back() is None
    assert fab.in_force() == BY_SHARE


def test_a_bundle_that_cannot_judge_is_taken_back(fab: Fab) -> None:
    fab.apply(BY_SHARE)
    fab.judge(CHAMPION, "champion", 100)
    fab.fail(6)
    taken = fab.take_back()
    assert taken is not None
    assert taken.why.trouble.value == "failed"


def test_a_canary_of_a_whole_tool_is_held_against_the_tools_past(fab: Fab) -> None:
    fab.judge(CHAMPION, "champion", 300, unknown=6, tool="T9")
    fab.judge(CHAMPION, "champion", 100, tool="T1")
    fab.yesterday()
    fab.apply(BY_TOOL)
    fab.judge(CANDIDATE, "candidate", 1, tool="T9")
    fab.judge(CANDIDATE, "candidate", 40, unknown=1, tool="T9")
    assert fab.take_back() is None
    fab.judge(CANDIDATE, "candidate", 40, unknown=20, tool="T9")
    assert fab.take_back() is not None


def test_a_release_that_does_worse_gives_the_route_back_to_the_bundle_before(fab: Fab) -> None:
    fab.apply(routing())
    fab.judge(CHAMPION, "champion", 400, unknown=8)
    fab.yesterday()
    released = BundleRef("wafer", "9", "9" * 64)
    fab.champion = released
    fab.judge(released, "champion", 40, unknown=1)
    assert fab.take_back() is None
    fab.judge(released, "champion", 60, unknown=30)
    assert fab.take_back() is not None
    source = fab.in_force().routes["champion"]
    assert (source.digest, source.version) == (CHAMPION.digest, "7")
    assert fab.take_back() is None, "what a person or the service chose is not on trial"


def test_what_was_applied_meanwhile_is_not_overwritten(fab: Fab) -> None:
    fab.apply(BY_SHARE)
    fab.judge(CANDIDATE, "candidate", 1)
    fab.judge(CHAMPION, "champion", 100)
    fab.judge(CANDIDATE, "candidate", 20, unknown=15)
    somebody_elses = routing(shadow={"route": "candidate"})

    def means(route: str) -> Stint:
        if fab.in_force() == BY_SHARE:
            fab.apply(somebody_elses)
        return Stint(route, CANDIDATE.digest, CANDIDATE.version)

    assert take_back(fab.database, means, (), routing()) is None
    assert fab.in_force() == somebody_elses
