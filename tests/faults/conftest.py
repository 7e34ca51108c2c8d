"""A plant for each test."""

from pathlib import Path

import pytest

from tests.faults.plant import Plant


@pytest.fixture
def plant(database_url: str, tmp_path: Path) -> Plant:
    """Empty, on SQLite and on PostgreSQL."""
    return Plant(database_url, tmp_path / "plant").build()
