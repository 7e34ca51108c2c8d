"""How jobs end, by the kind of error, and that whoever must act hears of it."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from models.domain.alert import Severity
from models.domain.errors import InputError, RetryableError, UnsafeInputError
from services.alerting.policy import AlertPolicy
from services.jobs import bury_silent, fail
from services.records import queries
from services.records.session import Database
from services.records.tables import JobRow, JobState
from services.records.views import AlertSummary, JobSummary
from tests.services.making import POLICY, add_job, claim_one


def state_of_everything(database: Database) -> tuple[list[JobSummary], list[AlertSummary]]:
    with database.read() as session:
        jobs = queries.jobs(session, states=list(JobState)).items
        return list(jobs), list(queries.alerts(session).items)


def make_due(database: Database) -> None:
    with database.write() as session:
        session.execute(update(JobRow).values(not_before=JobRow.created_at))


@pytest.mark.parametrize("error", [InputError("bad"), UnsafeInputError("too big")])
def test_wrong_input_is_quarantined_at_once(database: Database, error: InputError) -> None:
    add_job(database)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        assert fail(session, lease, error, POLICY) is JobState.QUARANTINED
    (job,), (alert,) = state_of_everything(database)
    assert (job.state, job.error_code, job.error) == (JobState.QUARANTINED, error.code, error.complaint)
    assert job.finished_at is not None
    assert (alert.rule, alert.pattern, alert.job_id) == ("quarantine", error.code, job.id)
    assert claim_one(database) is None


@pytest.mark.parametrize("error", [RetryableError("down"), ZeroDivisionError("secret of a library")])
def test_anything_else_is_tried_again_and_dies_in_the_end(database: Database, error: Exception) -> None:
    add_job(database)
    for attempt in range(1, POLICY.max_attempts + 1):
        lease = claim_one(database)
        assert lease is not None
        assert lease.attempts == attempt
        assert state_of_everything(database)[1] == []
        with database.write() as session:
            state = fail(session, lease, error, POLICY, AlertPolicy(channels=("webhook",)))
        assert state is (JobState.QUEUED if attempt < POLICY.max_attempts else JobState.DEAD)
        if state is JobState.QUEUED:
            assert claim_one(database) is None, "the backoff is not over"
        make_due(database)
    assert claim_one(database) is None
    (job,), (alert,) = state_of_everything(database)
    assert job.state is JobState.DEAD
    assert (alert.rule, alert.severity, alert.count) == ("dead", Severity.CRITICAL, 1)
    assert "secret" not in str(job.error)
    with database.read() as session:
        assert queries.health(session).unsent == 1


def test_a_file_that_kills_its_reader_dies_and_others_go_on(database: Database) -> None:
    add_job(database, "poison")
    add_job(database, "good")
    killed = 0
    while True:
        with database.write() as session:
            buried = bury_silent(session, POLICY)
        if buried:
            break
        lease = claim_one(database)
        assert lease is not None
        if lease.file_name == "good.001":
            continue
        killed += 1
        with database.write() as session:
            past = lease.until - timedelta(seconds=POLICY.lease_s + 1)
            session.execute(update(JobRow).where(JobRow.id == lease.job_id).values(lease_until=past))
    assert killed == POLICY.max_attempts
    jobs, (alert,) = state_of_everything(database)
    assert {job.file_name: job.state for job in jobs}["poison.001"] is JobState.DEAD
    assert alert.pattern == "worker-silent"


def test_one_fault_in_many_files_is_one_alert(database: Database) -> None:
    for name in "abc":
        add_job(database, name)
        lease = claim_one(database)
        assert lease is not None
        with database.write() as session:
            fail(session, lease, InputError("bad"), POLICY, AlertPolicy(channels=("webhook",)))
    _, (alert,) = state_of_everything(database)
    assert alert.count == 3
    with database.read() as session:
        assert queries.health(session).unsent == 1
