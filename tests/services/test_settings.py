"""Settings: from the environment, refused early and with the variable's name."""

from pathlib import Path

import pytest

from models.domain.errors import ConfigurationError
from services.settings import Afterwards, Settings, is_loopback


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("WAFERWATCH_"):
            monkeypatch.delenv(name)


def test_everything_lies_in_home_unless_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path))
    monkeypatch.setenv("WAFERWATCH_WATCH_DIR", "/data/in")
    settings = Settings.load()
    assert settings.database_url == f"sqlite:///{tmp_path}/waferwatch.db"
    assert settings.spool_dir == tmp_path / "spool"
    assert settings.watch_dir == Path("/data/in")
    assert settings.afterwards is Afterwards.KEEP


def test_relative_folders_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load()
    assert settings.home == tmp_path / ".waferwatch"
    assert settings.database_url == f"sqlite:///{tmp_path}/.waferwatch/waferwatch.db"


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("PORT", "http", "WAFERWATCH_PORT"),
        ("LEASE_S", "0", "WAFERWATCH_LEASE_S"),
        ("AFTERWARDS", "burn", "WAFERWATCH_AFTERWARDS"),
        ("DATABSE_URL", "sqlite:///x", "expected WAFERWATCH_DATABASE_URL"),
        ("SPOOL_DIR", ".waferwatch/watch/spool", "must not lie in watch_dir"),
    ],
)
def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str) -> None:
    monkeypatch.setenv(f"WAFERWATCH_{variable}", value)
    with pytest.raises(ConfigurationError, match=named):
        Settings.load()


def test_the_variable_of_the_tests_is_no_misspelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERWATCH_DATA", "/data")
    Settings.load()


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERWATCH_WEBHOOK_SECRET", "hunter2")
    monkeypatch.setenv("WAFERWATCH_DATABASE_URL", "postgresql+psycopg://user:hunter2@host/db")
    assert "hunter2" not in repr(Settings.load())


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home")
    settings.make_folders()
    assert settings.spool_dir.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.7", False), ("fab", False)],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


@pytest.mark.parametrize(
    ("given", "needs_login", "secure"),
    [
        ({}, False, False),
        ({"login": "always"}, True, False),
        ({"login": "always", "public_url": "https://wafers.example"}, True, True),
        ({"host": "0.0.0.0"}, True, True),
        ({"host": "0.0.0.0", "public_url": "http://wafers.example"}, True, False),
    ],
)
def test_beyond_this_machine_a_login_is_needed_and_travels_encrypted(
    tmp_path: Path, given: dict[str, str], needs_login: bool, secure: bool
) -> None:
    settings = Settings(home=tmp_path, **given)
    assert (settings.needs_login, settings.secure_cookies) == (needs_login, secure)
