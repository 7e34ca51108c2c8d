"""Fixtures every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real wafers, KLARF files and aerial frames; tests that need it are skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WAFERWATCH_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set WAFERWATCH_DATA to the folder that holds klarf/, wm811k/, …")
    return folder
