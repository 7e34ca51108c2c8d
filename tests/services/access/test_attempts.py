"""Guessing is slowed down where it comes from, and shuts nobody else out."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from services.access import logins
from services.access.attempts import FORGOTTEN_AFTER, LONGEST_WAIT_S, buckets_for, count_attempt, network_of, wait_s
from services.access.logins import Browser, TooManyAttemptsError, WrongPasswordError
from services.access.roles import Role
from services.records.access_tables import AttemptRow
from services.records.session import Database, now
from tests.services.access.people import PASSWORD, let_in

GUESSER = Browser("203.0.113.9", None)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried here is counted; what argon2 makes of it is another test's."""
    monkeypatch.setattr(logins, "fits", lambda password, stored: password == PASSWORD and stored is not None)


def guess(database: Database, name: str, times: int, browser: Browser = GUESSER) -> int:
    """How many guesses got through before one was told to wait."""
    for k in range(times):
        try:
            logins.log_in(database, name, "wrong", browser)
        except TooManyAttemptsError:
            return k
        except WrongPasswordError:
            continue
        pytest.fail("a wrong password let somebody in")
    return times


def test_guessing_is_slowed_down(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    assert guess(database, "zoe", 20) == 5
    with pytest.raises(TooManyAttemptsError) as told:
        logins.log_in(database, "zoe", PASSWORD, GUESSER)
    assert told.value.retry_after_s >= 1


def test_names_that_do_not_exist_are_answered_the_same(database: Database) -> None:
    assert guess(database, "nobody", 20) == 5


def test_a_guesser_elsewhere_locks_nobody_out(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    for k in range(12):
        guess(database, "zoe", 20, Browser(f"203.0.113.{k}", None))
    assert logins.log_in(database, "zoe", PASSWORD, Browser("10.0.0.1", None)).login


def test_a_guesser_at_the_same_address_does_not_lock_out_a_known_browser(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    known = logins.log_in(database, "zoe", PASSWORD, GUESSER)
    assert guess(database, "zoe", 20) == 5
    assert logins.log_in(database, "zoe", PASSWORD, Browser(GUESSER.address, known.device)).device == known.device


def test_the_browser_of_one_user_is_a_stranger_to_another(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    let_in(database, "boss", Role.ADMIN)
    known = logins.log_in(database, "zoe", PASSWORD, GUESSER)
    assert guess(database, "boss", 20, Browser(GUESSER.address, known.device)) == 5


def test_many_names_from_one_address_are_slowed_down_too(database: Database) -> None:
    through = sum(guess(database, f"name{k}", 1) for k in range(40))
    assert through == 30


def test_right_passwords_are_not_counted(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    for _ in range(40):
        logins.log_in(database, "zoe", PASSWORD, Browser("10.0.0.1", None))


def test_failures_are_forgotten(database: Database) -> None:
    let_in(database, "zoe", Role.VIEWER)
    assert guess(database, "zoe", 20) == 5
    with database.write() as session:
        session.execute(update(AttemptRow).values(last_at=now(session) - FORGOTTEN_AFTER - timedelta(seconds=1)))
    assert guess(database, "zoe", 20) == 5


def test_waiting_ends(database: Database) -> None:
    buckets = buckets_for("zoe", "10.0.0.1", None)
    with database.write() as session:
        for _ in range(8):
            count_attempt(session, buckets)
        assert count_attempt(session, buckets) > 0
        session.execute(update(AttemptRow).values(last_at=now(session) - timedelta(seconds=LONGEST_WAIT_S)))
        session.expire_all()
        assert count_attempt(session, buckets) == 0


def test_waits_double_up_to_a_limit() -> None:
    assert [wait_s(failures, 5) for failures in (0, 4, 5, 6, 7, 100, 10_000)] == [0, 0, 1, 2, 4, 900, 900]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("testclient", "testclient"),
    ],
)
def test_a_caller_is_a_network(address: str, network: str) -> None:
    assert network_of(address) == network
