"""Asking for jobs, hurrying them, cancelling them, trying them again."""

import pytest

from models.domain.errors import InputError
from services.jobs import LostLease, cancel, complete, enqueue, fail, hurry, retry
from services.priority import Priority
from services.records import queries
from services.records.session import Database
from services.records.tables import JobState
from services.records.views import JobSummary
from tests.services.making import POLICY, add_job, claim_one, sha


def look(database: Database, job_id: int) -> JobSummary:
    with database.read() as session:
        job = queries.job(session, job_id)
    assert job is not None
    return job


def test_the_same_wish_twice_is_one_job_and_another_bundle_another(database: Database) -> None:
    first = add_job(database, route="a" * 64)
    with database.write() as session:
        assert enqueue(session, sha256=sha("wafer"), route="a" * 64) == (first, False)
        second, is_new = enqueue(session, sha256=sha("wafer"), route="b" * 64)
    assert is_new
    assert second != first


def test_the_same_bytes_sent_for_a_held_lot_go_first(database: Database) -> None:
    add_job(database, "other")
    backfill = add_job(database, "archived", priority=Priority.BACKFILL)
    assert add_job(database, "archived", priority=Priority.HELD) == backfill
    assert add_job(database, "archived", priority=Priority.NORMAL) == backfill
    lease = claim_one(database)
    assert lease is not None
    assert lease.job_id == backfill


def test_a_waiting_job_can_be_hurried_and_a_running_one_not(database: Database) -> None:
    add_job(database, "first")
    late = add_job(database, "second")
    with database.write() as session:
        hurry(session, late, Priority.HELD)
    lease = claim_one(database)
    assert lease is not None
    assert lease.job_id == late
    with pytest.raises(InputError) as caught, database.write() as session:
        hurry(session, late, Priority.BACKFILL)
    assert caught.value.code == "job-state"


def test_a_failed_job_can_be_closed(database: Database) -> None:
    job_id = add_job(database)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        fail(session, lease, InputError("bad"), POLICY)
    with database.write() as session:
        cancel(session, job_id)
    assert look(database, job_id).state is JobState.CANCELLED
    with database.read() as session:
        assert queries.quarantine(session).items == ()


def test_a_cancelled_job_is_not_claimed(database: Database) -> None:
    job_id = add_job(database)
    with database.write() as session:
        cancel(session, job_id)
    assert claim_one(database) is None
    assert look(database, job_id).state is JobState.CANCELLED


def test_the_worker_of_a_cancelled_job_cannot_complete_it(database: Database) -> None:
    job_id = add_job(database)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        cancel(session, job_id)
    with pytest.raises(LostLease), database.write() as session:
        complete(session, lease)
    assert look(database, job_id).state is JobState.CANCELLED


def test_a_failed_job_starts_over_when_a_person_says_so(database: Database) -> None:
    job_id = add_job(database)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        fail(session, lease, InputError("bad", where="here"), POLICY)
    with database.write() as session:
        retry(session, job_id)
    again = look(database, job_id)
    assert (again.state, again.attempts, again.error, again.error_code) == (JobState.QUEUED, 0, None, None)
    lease = claim_one(database)
    assert lease is not None
    assert lease.fence == 2


@pytest.mark.parametrize("change", [cancel, retry])
def test_finished_jobs_stay_finished(database: Database, change: object) -> None:
    job_id = add_job(database)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        complete(session, lease)
    with pytest.raises(InputError) as caught, database.write() as session:
        change(session, job_id)  # type: ignore[operator]
    assert caught.value.code == "job-state"


@pytest.mark.parametrize("change", [cancel, retry])
def test_jobs_that_do_not_exist(database: Database, change: object) -> None:
    with pytest.raises(InputError) as caught, database.write() as session:
        change(session, 999)  # type: ignore[operator]
    assert caught.value.code == "no-such-job"
