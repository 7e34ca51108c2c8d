"""Row 9: the network to PostgreSQL swallows, resets or delays: calls end in time, and all goes on unaided."""

import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace

import pytest
from sqlalchemy import text

from models.domain.errors import RetryableError
from services.jobs import LeasePolicy
from services.records.session import Database
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.faults.proxy import Proxy, proxied

pytestmark = pytest.mark.faults

TIMEOUT_S = 1.5
CONNECT_S = 2.0
"""The shortest the driver knows."""
QUICK = LeasePolicy(lease_s=0.5, max_attempts=50, backoff_s=0.01, backoff_limit_s=1)


@pytest.fixture
def hasty_plant(postgres_plant: Plant) -> Plant:
    return replace(postgres_plant, policy=QUICK)


def swallow(proxy: Proxy, *, on: bool) -> None:
    proxy.is_black = on
    if not on:
        proxy.reset()  # bytes that were swallowed are missing in the stream


def cut(proxy: Proxy, *, on: bool) -> None:
    proxy.reset()


def slow_down(proxy: Proxy, *, on: bool) -> None:
    proxy.delay_s = 2.5 if on else 0.0


@pytest.mark.parametrize("disturb", [swallow, cut, slow_down], ids=lambda one: one.__name__)
@pytest.mark.parametrize("moment", ["between calls", "in the work"])
def test_calls_end_in_time_and_all_goes_on(hasty_plant: Plant, disturb: Callable[..., None], moment: str) -> None:
    hasty_plant.put("lot7.001", "1 2\n0")
    with proxied(hasty_plant.url) as proxy, closing(Database(proxy.url, timeout_s=TIMEOUT_S)) as database:
        machine = Machine(hasty_plant, database=database)
        watcher = machine.watcher()
        watcher.look()
        if moment == "in the work":
            watcher.look()
            machine.classifier.before = lambda: disturb(proxy, on=True)
        else:
            disturb(proxy, on=True)
        began = time.monotonic()
        for call in (watcher.look, machine.work_one, machine.relay_one):
            with nullcontext() if disturb is cut else expected_outage(is_certain=moment == "between calls"):
                call()
        # Each call meets at most a pooled connection that is dead and a new one that does not come about.
        assert time.monotonic() - began < 3 * (TIMEOUT_S + CONNECT_S) + 3 * TIMEOUT_S
        disturb(proxy, on=False)
        machine.classifier.before = lambda: None
        goes_on(machine)
    check_invariant(hasty_plant, {"1 2\n0"})


def expected_outage(*, is_certain: bool) -> "pytest.RaisesExc[RetryableError] | Outage":
    return pytest.raises(RetryableError, match="database does not answer") if is_certain else Outage()


class Outage:
    """Lets an outage pass."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, RetryableError)


def goes_on(machine: Machine) -> None:
    """As the service does it: again and again, outages waited out, until leases have ended and all is done."""
    end = time.monotonic() + 2 * QUICK.lease_s
    while time.monotonic() < end:
        with Outage():
            machine.ingest()
            machine.work()
            machine.relay()
        time.sleep(0.1)


def test_without_a_watchdog_it_would_be_seen(hasty_plant: Plant) -> None:
    with (
        mutants.no_watchdog(),
        proxied(hasty_plant.url) as proxy,
        closing(Database(proxy.url, timeout_s=TIMEOUT_S)) as database,
    ):

        def ask_into_the_dark() -> None:
            with database.write() as session:
                session.execute(text("SELECT 1"))
                proxy.is_black = True
                proxy.reset(after_s=2 * TIMEOUT_S)
                session.execute(text("SELECT 2"))

        began = time.monotonic()
        with pytest.raises(RetryableError, match="server closed"):
            ask_into_the_dark()
        assert time.monotonic() - began > TIMEOUT_S + 0.5
