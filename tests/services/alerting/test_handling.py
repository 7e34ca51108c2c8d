"""People and alerts: states that follow each other, versions, history."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from models.domain.alert import AlertState, Disposition
from models.domain.errors import InputError
from services.alerting.handling import StaleAlert, assign_alert, change_alert, comment_alert
from services.alerting.history import first_broken
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.records import queries
from services.records.session import Database
from tests.services.making import NOON, inspection, record


def open_alert(database: Database) -> int:
    found = inspection()
    record(database, found)
    with database.write() as session:
        return raise_alerts(session, evaluate(found), at=NOON)[0].alert_id


@pytest.fixture
def alert_id(database: Database) -> int:
    return open_alert(database)


def change(database: Database, alert_id: int, version: int, to: AlertState, actor: str = "ada") -> None:
    with database.write() as session:
        change_alert(session, alert_id, version=version, to=to, actor=actor, note=f"by {actor}")


def test_acknowledge_then_resolve(database: Database, alert_id: int) -> None:
    change(database, alert_id, 1, AlertState.ACKNOWLEDGED)
    change(database, alert_id, 2, AlertState.RESOLVED, actor="grace")
    with database.read() as session:
        detail = queries.alert(session, alert_id)
        assert first_broken(session, alert_id) is None
    assert detail is not None
    assert (detail.summary.state, detail.summary.version, detail.summary.handled_by) == (
        AlertState.RESOLVED,
        3,
        "grace",
    )
    assert [(event.actor, event.before, event.after) for event in detail.events] == [
        ("waferwatch", None, AlertState.OPEN),
        ("ada", AlertState.OPEN, AlertState.ACKNOWLEDGED),
        ("grace", AlertState.ACKNOWLEDGED, AlertState.RESOLVED),
    ]


def test_who_saw_an_older_version_is_told_so(database: Database, alert_id: int) -> None:
    change(database, alert_id, 1, AlertState.ACKNOWLEDGED)
    with pytest.raises(StaleAlert, match="acknowledged by ada"):
        change(database, alert_id, 1, AlertState.FALSE_ALARM, actor="grace")


def test_of_many_at_once_one_wins(database: Database, alert_id: int) -> None:
    def attempt(number: int) -> bool:
        try:
            change(database, alert_id, 1, AlertState.ACKNOWLEDGED, actor=f"person {number}")
        except StaleAlert:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    with database.read() as session:
        detail = queries.alert(session, alert_id)
    assert detail is not None
    assert len(detail.events) == 2


@pytest.mark.parametrize(
    ("before", "to"),
    [
        (AlertState.RESOLVED, AlertState.OPEN),
        (AlertState.FALSE_ALARM, AlertState.ACKNOWLEDGED),
        (AlertState.ACKNOWLEDGED, AlertState.ACKNOWLEDGED),
    ],
)
def test_states_that_do_not_follow(database: Database, alert_id: int, before: AlertState, to: AlertState) -> None:
    change(database, alert_id, 1, before)
    with pytest.raises(InputError) as caught:
        change(database, alert_id, 2, to)
    assert caught.value.code == "alert-state"


def test_an_alert_that_does_not_exist(database: Database) -> None:
    with pytest.raises(InputError) as caught:
        change(database, 999, 1, AlertState.RESOLVED)
    assert caught.value.code == "no-such-alert"


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE alert_event SET note = 'nothing happened' WHERE number = 1", 1),
        ("UPDATE alert_event SET actor = 'eve' WHERE number = 0", 0),
        ("DELETE FROM alert_event WHERE number = 1", 2),
    ],
)
def test_history_changed_behind_our_back_shows(own_database: Database, tampering: str, broken: int) -> None:
    alert_id = open_alert(own_database)
    change(own_database, alert_id, 1, AlertState.ACKNOWLEDGED)
    change(own_database, alert_id, 2, AlertState.RESOLVED)
    with own_database.write() as session:
        if own_database.is_sqlite:
            session.execute(text("DROP TRIGGER alert_event_no_update"))
            session.execute(text("DROP TRIGGER alert_event_no_delete"))
        else:
            session.execute(text("DROP TRIGGER alert_event_no_change ON alert_event"))
        session.execute(text(tampering))
    with own_database.read() as session:
        assert first_broken(session, alert_id) == broken


def test_assigning_is_a_change_and_commenting_is_not(database: Database) -> None:
    raised = open_alert(database)
    with database.write() as session:
        assigned = assign_alert(session, raised, version=1, to="Zoë", actor="lead")
    assert (assigned.assigned_to, assigned.version, assigned.state) == ("Zoë", 2, AlertState.OPEN)
    with database.write() as session:
        said = comment_alert(session, raised, text="  chuck looks worn ", actor="Zoë")
    assert said.version == 2
    with database.read() as session:
        found = queries.alert(session, raised)
        assert found is not None
        assert [(one.actor, one.note) for one in found.events[1:]] == [
            ("lead", "assigned to Zoë"),
            ("Zoë", "chuck looks worn"),
        ]
        assert first_broken(session, raised) is None


def test_a_reason_code_must_fit_what_it_closes(database: Database) -> None:
    raised = open_alert(database)
    with pytest.raises(InputError, match="reason code does not fit"), database.write() as session:
        change_alert(session, raised, version=1, to=AlertState.RESOLVED, actor="Zoë", disposition=Disposition.NUISANCE)
    with database.write() as session:
        closed = change_alert(
            session, raised, version=1, to=AlertState.FALSE_ALARM, actor="Zoë", note="dust",
            disposition=Disposition.NUISANCE,
        )  # fmt: skip
    assert closed.disposition is Disposition.NUISANCE
    with database.read() as session:
        found = queries.alert(session, raised)
        assert found is not None
        assert found.events[-1].note == "nuisance defects: dust"
    with pytest.raises(InputError, match="not assigned"), database.write() as session:
        assign_alert(session, raised, version=2, to="Zoë", actor="lead")
    with database.write() as session:
        comment_alert(session, raised, text="closed alerts can be commented on", actor="Zoë")
