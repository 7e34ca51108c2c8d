"""Replaying says what happened: the same rules over the recorded history give the alerts that were raised live."""

from datetime import timedelta

from models.domain.alert import AlertState
from models.domain.errors import InputError
from services.alerting.evaluation import alerts_of
from services.alerting.health_rules import HealthWatch, judge_health
from services.alerting.occurrences import raise_alerts
from services.alerting.policy import AlertPolicy
from services.alerting.replay import Fired, replay
from services.alerting.rule_file import Rules, shipped_rules
from services.alerting.rule_kinds import HealthRule
from services.jobs import claim, complete, fail
from services.records import queries
from services.records.session import Database, now
from services.records.store import add_inspection
from tests.services.alerting.test_rules import rules
from tests.services.making import POLICY, add_job, capture, inspection, verdict

HOUR = timedelta(hours=1)
RULES = rules(
    {"name": "pattern", "kind": "pattern"},
    {"name": "novelty", "kind": "novelty", "reason": "novel"},
    {"name": "three-of-five", "kind": "repeat", "n": 3, "m": 5},
)


def live(database: Database, labels: list[str | None], chosen: Rules = RULES) -> None:
    """Wafers as they come, each in a job of its own; 'broken' is a file that cannot be read."""
    for number, label in enumerate(labels):
        add_job(database, f"file {number}")
        with database.write() as session:
            lease = claim(session, "worker", POLICY)
            assert lease is not None
            if label == "broken":
                fail(session, lease, InputError("file ends early", code="truncated"), POLICY, AlertPolicy(chosen))
                continue
            found = inspection(capture(f"wafer {number}"), verdict(label))
            moment = now(session)
            add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=moment)
            raise_alerts(session, alerts_of(session, [found], chosen, moment), at=moment)
            complete(session, lease)


def replayed(database: Database, chosen: Rules) -> tuple[Fired, ...]:
    with database.read() as session:
        until = now(session) + timedelta(seconds=1)
        return replay(session, chosen, until - HOUR, until)


def test_what_was_raised_is_what_is_replayed(database: Database) -> None:
    live(database, ["Ring", "Normal", "Ring", None, "Ring", "broken", "Scratch", "Ring"])
    fired = {(one.rule, one.pattern): one.findings for one in replayed(database, RULES)}
    with database.read() as session:
        raised = queries.alerts(session, states=list(AlertState)).items
    assert fired == {(one.rule, one.pattern): one.count for one in raised}
    assert fired["three-of-five", "Ring"] == 2
    assert fired["quarantine", "truncated"] == 1


def test_other_rules_on_the_same_history(database: Database) -> None:
    live(database, ["Ring"] * 6)
    (one,) = replayed(database, rules({"name": "six", "kind": "repeat", "n": 6, "m": 6, "window_min": 1}))
    assert (one.rule, one.findings, one.told) == ("six", 1, 1)
    assert replayed(database, rules()) == ()


UNKNOWN = {"name": "model", "kind": "model", "signal": "unknown", "share": 0.5, "last": 10, "smallest": 4}


def test_a_model_that_refuses_too_much(database: Database) -> None:
    live(database, [None, "Normal", None, None], rules())
    chosen = rules(UNKNOWN)
    (rule,) = chosen.of(HealthRule)
    with database.read() as session:
        moment = now(session)
        (alert,) = judge_health(session, rule, moment)
        assert alert.title == "75% of the last 4 captures unknown · wafer v3"
        assert judge_health(session, rule, moment + HOUR) == [], "a bundle that judges nothing is not in use"
        assert judge_health(session, rule, moment - HOUR) == []


def test_one_period_counts_once_however_many_ask(database: Database) -> None:
    live(database, [None] * 4, rules())
    for _ in range(3):
        HealthWatch(database, AlertPolicy(rules(UNKNOWN), ("mail",))).look()
    with database.read() as session:
        (alert,) = queries.alerts(session).items
    assert alert.count == 1


def test_the_intake_is_looked_after(database: Database) -> None:
    live(database, ["Normal", "broken", "broken", "Normal"], rules())
    add_job(database, "waiting")
    silent, backlog, aside = (
        {"name": "silent", "kind": "intake", "signal": "tool silent", "after_min": 60},
        {"name": "backlog", "kind": "intake", "signal": "backlog", "after_min": 15},
        {"name": "aside", "kind": "intake", "signal": "set aside", "share": 0.4, "smallest": 4},
    )
    chosen = rules(silent, backlog, aside).of(HealthRule)
    with database.read() as session:
        moment = now(session)
        now_, soon, later = (
            [alert.title for rule in chosen for alert in judge_health(session, rule, at)]
            for at in (moment, moment + HOUR / 2, moment + 2 * HOUR)
        )
    assert now_ == ["2 of the last 4 files could not be inspected"]
    assert soon == ["1 files wait, the oldest for 30 min"]
    assert later == ["Nothing for 2 h · T9", "1 files wait, the oldest for 120 min"]


def test_the_shipped_rules_are_quiet_about_a_quiet_line(database: Database) -> None:
    live(database, ["Normal"] * 12)
    assert replayed(database, shipped_rules()) == ()
