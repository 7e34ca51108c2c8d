"""Claiming: the most urgent first, one worker each, and nobody writes after losing the lease."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.jobs import LeasePolicy, LostLease, claim, complete, extend, hold, release
from services.priority import Priority
from services.records import queries
from services.records.session import Database, now
from services.records.tables import JobRow, JobState
from tests.services.making import POLICY, add_job, claim_one


def shift_lease(database: Database, job_id: int, seconds: float) -> None:
    """As if the database's clock had moved the other way since the claim."""
    with database.write() as session:
        until = session.get_one(JobRow, job_id).lease_until
        assert until is not None
        session.execute(
            update(JobRow).where(JobRow.id == job_id).values(lease_until=until + timedelta(seconds=seconds))
        )


def test_an_empty_queue_gives_nothing(database: Database) -> None:
    assert claim_one(database) is None


def test_urgent_jobs_first_then_the_oldest(database: Database) -> None:
    backfill = add_job(database, "a", priority=Priority.BACKFILL)
    first, second = add_job(database, "b"), add_job(database, "c")
    held = add_job(database, "d", priority=Priority.HELD)
    claimed = [lease.job_id for lease in iter(lambda: claim_one(database), None)]
    assert claimed == [held, first, second, backfill]


def test_one_job_and_no_other(database: Database) -> None:
    add_job(database, "a")
    wanted = add_job(database, "b")
    with database.write() as session:
        lease = claim(session, "worker", POLICY, wanted)
        assert lease is not None
        assert lease.job_id == wanted
        assert claim(session, "worker", POLICY, wanted) is None


def test_many_workers_share_the_jobs(database: Database) -> None:
    jobs = {add_job(database, f"wafer{number}") for number in range(40)}
    barrier = threading.Barrier(4)

    def work() -> list[int]:
        barrier.wait()
        return [lease.job_id for lease in iter(lambda: claim_one(database), None)]

    with ThreadPoolExecutor(4) as pool:
        claimed = [job for future in [pool.submit(work) for _ in range(4)] for job in future.result()]
    assert sorted(claimed) == sorted(jobs)


def test_a_silent_worker_loses_its_job_and_cannot_write(database: Database) -> None:
    add_job(database)
    slow = claim_one(database)
    assert slow is not None
    assert claim_one(database) is None
    shift_lease(database, slow.job_id, -31)
    quick = claim_one(database)
    assert quick is not None
    assert (quick.job_id, quick.fence, quick.attempts) == (slow.job_id, 2, 2)
    for write in (complete, hold, release):
        with pytest.raises(LostLease), database.write() as session:
            write(session, slow)
    with pytest.raises(LostLease), database.write() as session:
        extend(session, slow, POLICY, 1)
    with database.write() as session:
        complete(session, quick)
    with pytest.raises(LostLease), database.write() as session:
        complete(session, quick)


def test_a_lease_from_the_future_means_the_clock_was_set_back(database: Database) -> None:
    add_job(database)
    before = claim_one(database)
    assert before is not None
    shift_lease(database, before.job_id, 3600)
    after = claim_one(database)
    assert after is not None
    assert after.fence == 2


def test_a_retry_from_the_future_means_the_clock_was_set_back(database: Database) -> None:
    job_id = add_job(database)
    with database.write() as session:
        later = now(session) + timedelta(seconds=POLICY.backoff_limit_s - 5)
        session.execute(update(JobRow).values(not_before=later))
    assert claim_one(database) is None
    with database.write() as session:
        session.execute(update(JobRow).values(not_before=later + timedelta(days=1)))
    lease = claim_one(database)
    assert lease is not None
    assert lease.job_id == job_id


def test_a_heartbeat_keeps_the_job_and_shows_progress(database: Database) -> None:
    add_job(database)
    lease = claim_one(database)
    assert lease is not None
    shift_lease(database, lease.job_id, -31)
    with database.write() as session:
        extend(session, lease, POLICY, windows_done=12)
    assert claim_one(database) is None
    with database.read() as session:
        job = queries.job(session, lease.job_id)
    assert job is not None
    assert job.windows_done == 12


def test_a_worker_that_stops_gives_back_without_using_up_a_try(database: Database) -> None:
    add_job(database)
    for _ in range(POLICY.max_attempts + 2):
        lease = claim_one(database)
        assert lease is not None
        assert lease.attempts == 1
        with database.write() as session:
            release(session, lease)


def test_holding_a_lease_keeps_others_out_until_the_transaction_ends(database: Database) -> None:
    """Otherwise a claim could slip in between the check of the fence and what is written under it."""
    add_job(database)
    lease = claim_one(database)
    assert lease is not None
    shift_lease(database, lease.job_id, -31)
    started, claimed = threading.Event(), []

    def steal() -> None:
        started.set()
        claimed.append(claim_one(database))

    thief = threading.Thread(target=steal)
    with database.write() as session:
        hold(session, lease)
        thief.start()
        started.wait()
        threading.Event().wait(0.2)
        complete(session, lease)
    thief.join()
    assert claimed == [None]
    with database.read() as session:
        job = queries.job(session, lease.job_id)
    assert job is not None
    assert job.state is JobState.DONE


def test_the_backoff_doubles_up_to_its_limit() -> None:
    policy = LeasePolicy(backoff_s=2, backoff_limit_s=10)
    assert [policy.backoff(attempt).total_seconds() for attempt in (1, 2, 3, 4, 1000)] == [2, 4, 8, 10, 10]
