"""The verbs about jobs, on a database of the installation's own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.records.migrations import upgrade
from services.records.session import Database
from tests.services.cli.test_app import run
from tests.services.making import add_job, inspection, record


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    database = Database(f"sqlite:///{tmp_path / 'home' / 'waferwatch.db'}")
    upgrade(database)
    yield database
    database.close()


def test_jobs_are_listed_hurried_cancelled_and_retried(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    record(database, inspection())
    job = add_job(database, "waiting", sender="tool 9")

    def state(*arguments: str) -> tuple[str, int]:
        assert run(capsys, "jobs", *arguments)[0] == 0
        status, out, _ = run(capsys, "jobs", "show", str(job), "--json")
        assert status == 0
        found = json.loads(out)
        return found["state"], found["priority"]

    status, out, _ = run(capsys, "jobs", "list", "--state", "queued", "--json")
    assert (status, [one["file_name"] for one in json.loads(out)]) == (0, ["waiting.001"])
    assert state("hurry", str(job)) == ("queued", 0)
    assert state("hurry", str(job), "--to", "backfill") == ("queued", 200)
    assert state("cancel", str(job)) == ("cancelled", 200)
    assert state("retry", str(job)) == ("queued", 200)
    status, out, _ = run(capsys, "jobs", "list")
    assert status == 0
    assert "waiting.001" in out


def test_mistakes_change_nothing(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    job = add_job(database, "waiting")
    status, _, err = run(capsys, "jobs", "cancel", str(job), "999")
    assert (status, "no such job" in err) == (2, True)
    status, out, _ = run(capsys, "jobs", "show", str(job), "--json")
    assert json.loads(out)["state"] == "queued"
    assert run(capsys, "jobs", "show", "999")[0] == 2
    status, _, err = run(capsys, "jobs", "list", "--state", "lost")
    assert (status, "queued" in err) == (2, True)
