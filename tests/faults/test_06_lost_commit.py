"""Row 6: the server commits, and its acknowledgement is lost: doing it again is safe, and leaves no second row."""

import time
from contextlib import closing
from dataclasses import replace

import pytest

from models.domain.errors import RetryableError
from services.jobs import LeasePolicy
from services.records.session import Database
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.proxy import Proxy, proxied

pytestmark = pytest.mark.faults

QUICK = LeasePolicy(lease_s=0.4, max_attempts=50, backoff_s=0.01, backoff_limit_s=1)


@pytest.fixture
def hasty_plant(postgres_plant: Plant) -> Plant:
    return replace(postgres_plant, policy=QUICK)


def line(plant: Plant, proxy: Proxy) -> None:
    """Everything, until there is nothing to do; an outage is waited out, as the service does."""
    outages, quiet_since = 0, time.monotonic()
    with closing(Machine(plant, database=Database(proxy.url))) as machine:
        watcher = machine.watcher()
        watcher.look()  # it takes what it has seen before: the first COMMIT is that of the taking in
        while time.monotonic() - quiet_since < 1.5 * plant.policy.lease_s:  # a lease may have to end first
            try:
                is_busy = watcher.look().taken or machine.work_one() or machine.relay_one()
            except RetryableError as error:
                outages += error.code == "database-unavailable"
                is_busy = True
            if is_busy:
                quiet_since = time.monotonic()
            else:
                time.sleep(0.05)
    assert outages <= 1  # none where it was a heartbeat's: those fail in silence


def lose(plant: Plant, number: int) -> tuple[str, int]:
    """A file whose way loses the `number`-th acknowledgement; returns its content, and how many COMMITs it took."""
    text = f"T{number}@1 99\n0\nbroken"
    plant.put(f"{number}.001", text)
    with proxied(plant.url) as proxy:
        proxy.lose_commit = number
        line(plant, proxy)
        return text, proxy.commits


def test_whatever_acknowledgement_is_lost_nothing_is_lost_or_doubled(hasty_plant: Plant) -> None:
    texts: set[str] = set()
    number, commits = 0, 1
    while number < commits:
        text, commits = lose(hasty_plant, number)
        texts.add(text)
        number += 1
    assert number > 6
    check_invariant(hasty_plant, texts, most_repeats=number)


def test_a_wish_that_is_not_the_same_twice_is_seen(hasty_plant: Plant) -> None:
    with mutants.every_wish_is_new():
        text, _ = lose(hasty_plant, 0)
    with pytest.raises(AssertionError, match="jobs"):
        check_invariant(hasty_plant, {text}, most_repeats=1)
