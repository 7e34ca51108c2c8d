"""A plant for each test."""

import shutil
from pathlib import Path

import pytest

from services.inspection import trying
from tests.faults.plant import Plant
from tests.postgres import Postgres


@pytest.fixture(autouse=True)
def real_files_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plant's machines read a format of their own, in their processes too; other tests of this process must not."""
    monkeypatch.setattr(trying, "open_captures", trying.open_captures)


@pytest.fixture
def plant(database_url: str, tmp_path: Path) -> Plant:
    """Empty, on SQLite and on PostgreSQL."""
    return Plant(database_url, tmp_path / "plant").build()


@pytest.fixture
def sqlite_plant(tmp_path: Path, sqlite_template: Path) -> Plant:
    """Empty, on SQLite: for what is about the disk, and where the database makes no difference."""
    shutil.copy(sqlite_template, tmp_path / "waferwatch.db")
    return Plant(f"sqlite:///{tmp_path / 'waferwatch.db'}", tmp_path / "plant").build()


@pytest.fixture
def postgres_plant(postgres: Postgres, tmp_path: Path) -> Plant:
    """Empty, on PostgreSQL: for faults of servers and networks."""
    if postgres.folder is None:
        pytest.skip("the server is not ours to disturb")
    return Plant(postgres.emptied(), tmp_path / "plant").build()
