"""Files from here and from object stores; nothing from anywhere else."""

import os
from pathlib import Path

import boto3
import fsspec
import pytest

from models.domain.errors import ConfigurationError, InputError, RetryableError, UnsafeInputError
from pipelines.ingestion import Limits, ReadOptions, open_captures
from pipelines.ingestion.sources import fetch, local_file


def test_local_files_by_path_text_and_uri(tmp_path: Path) -> None:
    path = tmp_path / "a b.csv"
    path.write_text("content")
    for uri in (path, str(path), f"file://{path}"):
        source = fetch(uri, Limits())
        assert (source.path, source.size, source.short_name) == (path, 7, "a b.csv")
        assert source.sha256 == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


@pytest.mark.parametrize("kind", ["nothing", "folder", "pipe", "below a file"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "below a file":
        path.touch()
        path /= "b"
    with pytest.raises(InputError) as caught:
        local_file(path, Limits())
    assert caught.value.code == "no-such-file"


def test_names_with_a_nul_are_refused() -> None:
    with pytest.raises(InputError):
        fetch("/tmp/a\0b", Limits())


@pytest.mark.parametrize(
    "uri", ["http://h/a", "https://h/a", "ftp://h/a", "memory://a", "zip://a::s3://b/c", "s3://a::b"]
)
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(UnsafeInputError, match="cannot read from there"):
        fetch(uri, Limits())


def test_stores_whose_package_is_missing_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> object:
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(fsspec, "open", missing)
    with pytest.raises(ConfigurationError, match=r"waferwatch\[gcs\]"):
        fetch("gs://bucket/key", Limits())


def test_files_in_s3(object_store: str, samples: dict[str, bytes], tmp_path: Path) -> None:
    boto3.client("s3", endpoint_url=object_store).put_object(Bucket="fab", Key="lot/points.csv", Body=samples["csv"])
    options = ReadOptions(storage={"endpoint_url": object_store})
    readers = list(open_captures("s3://fab/lot/points.csv", options=options))
    (tmp_path / "points.csv").write_bytes(samples["csv"])
    assert [r.capture for r in readers] == [r.capture for r in open_captures(tmp_path / "points.csv")]
    with pytest.raises(InputError) as caught:
        list(open_captures("s3://fab/lot/absent.csv", options=options))
    assert caught.value.code == "no-such-file"
    with pytest.raises(UnsafeInputError, match="too big"):
        list(open_captures("s3://fab/lot/points.csv", options=options, limits=Limits(file_bytes=100)))


def test_a_store_that_is_down_is_tried_again() -> None:
    storage = {
        "endpoint_url": "http://127.0.0.1:9",
        "key": "k",
        "secret": "s",
        "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 1},
    }
    with pytest.raises(RetryableError):
        fetch("s3://fab/a", Limits(), storage)
