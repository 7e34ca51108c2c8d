"""Fixtures every test may ask for."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.records.migrations import upgrade
from services.records.session import Database
from tests.postgres import Postgres


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real wafers, KLARF files and aerial frames; tests that need it are skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WAFERWATCH_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set WAFERWATCH_DATA to the folder that holds klarf/, wm811k/, …")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this test process."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="module")
def object_store() -> Iterator[str]:
    """Address of an S3 of our own with one bucket, 'fab'; its credentials are in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3", endpoint_url=address).create_bucket(Bucket="fab")
        yield address
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with today's tables, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database with today's tables; the test runs once on SQLite and once on PostgreSQL.

    The one on PostgreSQL is shared with later tests: those that change tables take `own_database`.
    """
    if request.param == "sqlite":
        path = tmp_path / "waferwatch.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    yield server.emptied()


@pytest.fixture(params=["sqlite", "postgres"])
def own_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database whose tables the test may change; once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "own.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}")
        yield database
        database.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    database = Database(url)
    yield database
    database.close()
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """`database_url`, opened."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def fresh_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty MLflow database; its forty migrations run once."""
    from pipelines.mlflow_store import mlflow_client

    folder = tmp_path_factory.mktemp("mlflow")
    mlflow_client(f"sqlite:///{folder / 'mlflow.db'}")
    return folder / "mlflow.db"


@pytest.fixture
def mlflow_uri(fresh_mlflow: Path, tmp_path: Path) -> str:
    """An MLflow of one's own."""
    (tmp_path / "mlflow").mkdir()
    shutil.copyfile(fresh_mlflow, tmp_path / "mlflow/mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow/mlflow.db'}"
