"""Settings survive the way through the environment to another process."""

from pathlib import Path

import pytest

from services.settings import Settings
from services.up import environment_of


def test_parts_load_the_settings_they_were_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings.load(
        home=tmp_path, port=8123, oidc_client_secret="s3cret", watch_include=("*.001", "a,b"), watch_every_s=0.5
    )
    for name, value in environment_of(given).items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == given
