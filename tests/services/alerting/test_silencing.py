"""Silences and maintenance: who, why, until when; nothing is lost by them, and they end by themselves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.domain.alert import Alert, AlertState, Fingerprint, Quiet, Severity, SilenceKind
from models.domain.errors import InputError
from services.alerting.attention import escalate_overdue, tell_unsilenced
from services.alerting.handling import change_alert
from services.alerting.occurrences import Outcome, Raised, raise_alerts
from services.alerting.silencing import Wish, add_silence, end_silence, renew_maintenance
from services.records import queries
from services.records.alert_tables import AlertRow, SilenceRow
from services.records.session import Database, now
from services.records.silences import silences
from services.records.tables import OutboxRow
from tests.services.making import sha

HOUR = timedelta(hours=1)
PLAIN = Quiet()


def ring(subject: str, tool: str = "T9", quiet: Quiet = PLAIN) -> Alert:
    fingerprint = Fingerprint("pattern", "Ring", "P1", "ETCH", tool)
    return Alert(fingerprint, sha(subject), Severity.WARNING, "Ring", "Look.", quiet=quiet)


def put(database: Database, *alerts: Alert) -> tuple[Raised, ...]:
    with database.write() as session:
        return raise_alerts(session, alerts, at=now(session), channels=["mail"])


def silence(database: Database, **wish: Any) -> int:
    with database.write() as session:
        given = {"reason": "known scratch of chuck 2", "until": now(session) + HOUR, "tool": "T9"} | wish
        return add_silence(session, Wish(**given), author="Zoë").id


def sent(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.execute(select(OutboxRow.channel, OutboxRow.body).order_by(OutboxRow.id)).tuples()
        return [(channel, body["event"]) for channel, body in rows]


def live(database: Database, *, silenced: bool | None = False) -> int:
    with database.read() as session:
        return len(queries.alerts(session, silenced=silenced).items)


def pass_time(database: Database, silence_id: int, by: timedelta = 2 * HOUR) -> None:
    with database.write() as session:
        row = session.get_one(SilenceRow, silence_id)
        row.starts_at, row.until = row.starts_at - by, row.until - by


def test_a_silenced_trouble_is_counted_and_told_to_nobody(database: Database) -> None:
    silence(database)
    put(database, ring("a"))
    (other,) = put(database, ring("b", tool="T10"))
    assert other.is_new
    assert sent(database) == [("mail", "alert.opened")]
    assert (live(database), live(database, silenced=True), live(database, silenced=None)) == (1, 1, 2)


def test_when_a_silence_ends_the_trouble_that_is_left_is_told_once(database: Database) -> None:
    silence_id = silence(database)
    put(database, ring("a"), ring("b"))
    with database.write() as session:
        assert tell_unsilenced(session) == 0
    pass_time(database, silence_id)
    for expected in (1, 0):
        with database.write() as session:
            assert tell_unsilenced(session) == expected
    assert sent(database) == [("mail", "alert.opened")]
    assert live(database) == 1


def test_what_goes_on_after_a_silence_is_told_at_once(database: Database) -> None:
    silence_id = silence(database)
    put(database, ring("a"))
    with database.write() as session:
        end_silence(session, silence_id, by="Zoë")
    put(database, ring("b"))
    assert sent(database) == [("mail", "alert.opened")]


def test_maintenance_opens_no_alert_and_counts_what_it_held_back(database: Database) -> None:
    silence_id = silence(database, kind=SilenceKind.MAINTENANCE)
    assert [one.outcome for one in put(database, ring("a"), ring("b"))] == [Outcome.MAINTENANCE] * 2
    assert live(database, silenced=None) == 0
    with database.read() as session:
        (window,) = silences(session, since=now(session)).items
    assert (window.id, window.held_back) == (silence_id, 2)


def test_maintenance_may_be_announced_and_comes_back(database: Database) -> None:
    with database.write() as session:
        moment = now(session)
        wish = Wish(
            "weekly", moment + 3 * HOUR, starts_at=moment + HOUR, kind=SilenceKind.MAINTENANCE, every_days=7, tool="T9"
        )
        first = add_silence(session, wish, author="Zoë")
    assert put(database, ring("a"))[0].is_new, "it has not begun"
    pass_time(database, first.id, timedelta(days=15))
    for expected in (1, 0):
        with database.write() as session:
            assert renew_maintenance(session) == expected
    with database.read() as session:
        (following,) = silences(session, since=now(session)).items
    assert following.starts_at - first.starts_at == timedelta(days=6), "two weeks were missed: the third is ahead"
    with database.write() as session:
        end_silence(session, following.id, by="Zoë")
    with database.write() as session:
        assert renew_maintenance(session) == 0, "ended by a person, it does not come back"


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "  "},
        {"tool": None},
        {"until": None},
        {"every_days": 7},
        {"kind": SilenceKind.MAINTENANCE, "every_days": 1, "days": 3},
        {"days": 40},
    ],
    ids=str,
)
def test_a_silence_says_who_why_what_and_until_when(database: Database, wrong: dict[str, Any]) -> None:
    with database.read() as session:
        moment = now(session)
    given: dict[str, Any] = {"until": moment + HOUR} | wrong
    given.update(until=given["until"] and given["until"] + timedelta(days=given.pop("days", 0)))
    if given["until"] is None:
        given["until"] = moment - HOUR
    with pytest.raises(InputError) as caught:
        silence(database, **given)
    assert caught.value.code == "bad-silence"


def test_a_silence_ends_once(database: Database) -> None:
    silence_id = silence(database)
    with database.write() as session:
        ended = end_silence(session, silence_id, by="Ada")
    assert (ended.ended_by, ended.author) == ("Ada", "Zoë")
    for number, code in [(silence_id, "silence-over"), (999, "no-such-silence")]:
        with pytest.raises(InputError) as caught, database.write() as session:
            end_silence(session, number, by="Ada")
        assert caught.value.code == code


LATER = Quiet(escalate_after=timedelta(minutes=15), escalate_to=("lead",))


def grow_old(database: Database) -> None:
    with database.write() as session:
        rows = session.scalars(select(AlertRow).where(AlertRow.escalate_at.is_not(None)))
        for row in rows:
            assert row.escalate_at is not None
            row.escalate_at -= HOUR


def escalated(database: Database) -> int:
    with database.write() as session:
        return escalate_overdue(session)


def test_what_nobody_acknowledges_is_told_to_others_once(database: Database) -> None:
    put(database, ring("a", quiet=LATER))
    assert escalated(database) == 0, "it is not time"
    grow_old(database)
    assert [escalated(database), escalated(database)] == [1, 0]
    assert sent(database) == [("mail", "alert.opened"), ("lead", "alert.escalated")]
    with database.read() as session:
        detail = queries.alert(session, 1)
    assert detail is not None
    assert "nobody acknowledged in time: told lead" in [event.note for event in detail.events]


@pytest.mark.parametrize("answer", ["acknowledged", "silenced"])
def test_what_somebody_answered_is_not_escalated(database: Database, answer: str) -> None:
    put(database, ring("a", quiet=LATER))
    if answer == "silenced":
        silence(database)
    else:
        with database.write() as session:
            change_alert(session, 1, version=1, to=AlertState.ACKNOWLEDGED, actor="Zoë")
    grow_old(database)
    assert escalated(database) == 0


def test_who_was_told_of_an_alert_hears_of_its_end(database: Database) -> None:
    put(database, ring("a", quiet=LATER))
    grow_old(database)
    escalated(database)
    with database.write() as session:
        change_alert(session, 1, version=1, to=AlertState.RESOLVED, actor="Zoë")
    assert sent(database)[2:] == [("lead", "alert.closed"), ("mail", "alert.closed")]


def test_a_silence_fits_only_what_it_names(database: Database) -> None:
    put(database, ring("a"), ring("b", tool="T10"))
    silence(database, tool=None, pattern="Ring", step="CMP")
    assert live(database) == 2
    silence(database, tool=None, pattern="Ring", product="P1")
    assert live(database) == 0
    with database.write() as session:
        session.execute(update(SilenceRow).values(until=now(session)))
    assert live(database) == 2


def test_quiet_parts_do_not_change_what_is_grouped(database: Database) -> None:
    put(database, ring("a"))
    (again,) = put(database, replace(ring("b"), quiet=LATER))
    assert again.outcome is Outcome.REPEATED
