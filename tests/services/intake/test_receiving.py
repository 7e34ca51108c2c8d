"""From bytes to a job."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from models.domain.errors import RetryableError
from services.intake.receiving import Arrival, key_of, receive
from services.intake.spool import Spool
from services.priority import Priority
from services.records import queries
from services.records.session import Database
from services.records.tables import JobRow, JobState, ReceiptRow, SourceFileRow
from tests.services.making import sha

UPLOAD = Arrival(origin="upload", path="C:\\tool\\lot7.001", sender="tool 9", route="a" * 64, priority=Priority.HELD)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", limit_bytes=100)


def numbers(database: Database) -> tuple[int, int, int]:
    with database.read() as session:
        return tuple(
            session.scalars(select(func.count()).select_from(table)).one()
            for table in (SourceFileRow, ReceiptRow, JobRow)
        )  # type: ignore[return-value]


def test_an_upload_becomes_a_queued_job(database: Database, spool: Spool) -> None:
    receipt = receive(database, spool, io.BytesIO(b"wafer"), UPLOAD)
    assert (receipt.sha256, receipt.is_new_job, receipt.is_new_arrival) == (sha("wafer"), True, True)
    with database.read() as session:
        job = queries.job(session, receipt.job_id)
    assert job is not None
    assert (job.state, job.file_name, job.size_bytes, job.sender, job.priority) == (
        JobState.QUEUED, "lot7.001", 5, "tool 9", 0,
    )  # fmt: skip
    assert spool.path(receipt.sha256).read_bytes() == b"wafer"


def test_the_same_bytes_again_are_another_arrival_of_the_same_job(database: Database, spool: Spool) -> None:
    first = receive(database, spool, io.BytesIO(b"wafer"), UPLOAD)
    second = receive(database, spool, io.BytesIO(b"wafer"), replace(UPLOAD, path="copy.001"))
    assert second.job_id == first.job_id
    assert (second.is_new_job, second.is_new_arrival) == (False, True)
    assert numbers(database) == (1, 2, 1)


def test_the_same_bytes_for_another_bundle_are_another_job(database: Database, spool: Spool) -> None:
    first = receive(database, spool, io.BytesIO(b"wafer"), UPLOAD)
    second = receive(database, spool, io.BytesIO(b"wafer"), replace(UPLOAD, route="b" * 64))
    assert second.is_new_job
    assert second.job_id != first.job_id
    assert numbers(database) == (1, 2, 2)


def test_an_arrival_reported_twice_is_one(database: Database, spool: Spool) -> None:
    arrival = replace(UPLOAD, key=key_of("tool 9", "request 1"))
    first = receive(database, spool, io.BytesIO(b"wafer"), arrival)
    again = receive(database, spool, io.BytesIO(b"wafer"), replace(arrival, route="b" * 64))
    assert again == replace(first, is_new_job=False, is_new_arrival=False)
    assert numbers(database) == (1, 1, 1)


def test_without_a_database_there_is_no_acknowledgement(spool: Spool) -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", timeout_s=2)
    with pytest.raises(RetryableError):
        receive(nowhere, spool, io.BytesIO(b"wafer"), UPLOAD)
    nowhere.close()
