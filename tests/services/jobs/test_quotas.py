"""One sender's flood leaves room for the others."""

import pytest

from services.jobs import OverQuota, admit, complete, room_left
from services.records.session import Database
from tests.services.making import add_job, claim_one


def test_unfinished_files_of_one_sender_count(database: Database) -> None:
    for number in range(3):
        add_job(database, f"wafer {number}", sender="tool 9")
    add_job(database, "other", sender="tool 1")
    with database.read() as session:
        assert [room_left(session, "tool 9", quota) for quota in (2, 3, 4)] == [0, 0, 1]
        admit(session, "tool 1", 2)
        with pytest.raises(OverQuota, match="tool 9"):
            admit(session, "tool 9", 3)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        complete(session, lease)
    with database.read() as session:
        admit(session, "tool 9", 3)
