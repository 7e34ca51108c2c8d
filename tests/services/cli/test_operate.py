"""The verb `ingest`: files of this machine and of object stores become jobs, and their bytes are in the spool."""

import hashlib
import json
from pathlib import Path

import boto3
import pytest

from tests.services.cli.test_app import run

CONTENT = b"x_um,y_um\n1,2\n"
NAME = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_file_and_the_same_bytes_in_an_object_store_are_one_job(
    home: Path, object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("s3", endpoint_url=object_store).put_object(Bucket="fab", Key="lot/points.csv", Body=CONTENT)
    (tmp_path / "reading.yaml").write_text(f"storage: {{endpoint_url: '{object_store}'}}\n")
    monkeypatch.setenv("WAFERWATCH_READING", str(tmp_path / "reading.yaml"))
    (tmp_path / "here.csv").write_bytes(CONTENT)
    uris = ("s3://fab/lot/points.csv", f"file://{tmp_path}/here.csv", str(tmp_path / "here.csv"))
    status, out, err = run(capsys, "ingest", *uris, "--json")
    assert status == 0, err
    jobs = json.loads(out)
    assert len(jobs) == 3
    assert {job["id"] for job in jobs} == {jobs[0]["id"]}
    assert jobs[0]["file_name"] == "points.csv"
    assert (home / "spool" / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://fab/absent.csv", "no such file"),
        ("http://127.0.0.1/a.csv", "cannot read from there"),
        ("s3://fab/a::zip://b", "cannot read from there"),
    ],
)
def test_what_cannot_be_fetched_makes_no_job(
    uri: str,
    says: str,
    home: Path,
    object_store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "reading.yaml").write_text(f"storage: {{endpoint_url: '{object_store}'}}\n")
    monkeypatch.setenv("WAFERWATCH_READING", str(tmp_path / "reading.yaml"))
    status, _, err = run(capsys, "ingest", uri)
    assert (status, says in err) == (2, True), err
    assert json.loads(run(capsys, "jobs", "list", "--json")[1]) == []


def test_files_beyond_the_limit_are_refused(
    home: Path, object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("s3", endpoint_url=object_store).put_object(Bucket="fab", Key="big.csv", Body=CONTENT * 100)
    (tmp_path / "reading.yaml").write_text(f"storage: {{endpoint_url: '{object_store}'}}\n")
    monkeypatch.setenv("WAFERWATCH_READING", str(tmp_path / "reading.yaml"))
    monkeypatch.setenv("WAFERWATCH_FILE_LIMIT_BYTES", "100")
    status, _, err = run(capsys, "ingest", "s3://fab/big.csv")
    assert (status, "too big" in err) == (2, True), err
