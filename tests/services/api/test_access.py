"""Access: the token, the cookie it is traded for, and who needs neither."""

import time
from pathlib import Path

import pytest

from models.domain.errors import ConfigurationError
from services.api.access import LOGIN_S, Keys, is_loopback, keys_for
from services.settings import Settings

TOKEN = "a-token-long-enough-to-be-one"


def test_a_cookie_of_ours_names_its_owner() -> None:
    keys = Keys(TOKEN)
    assert keys.name_in(keys.cookie("Zoë, shift 2")) == "Zoë, shift 2"


def test_a_changed_cookie_is_worth_nothing() -> None:
    keys = Keys(TOKEN)
    cookie = keys.cookie("operator")
    claim, _, signature = cookie.rpartition(".")
    end, _, name = claim.partition(".")
    forged = [
        f"{int(end) + 1}.{name}.{signature}",
        f"{end}.{name}x.{signature}",
        f"{claim}.{'0' * 64}",
        claim,
        "..",
        "",
        Keys("another-token-long-enough").cookie("operator"),
    ]
    assert [keys.name_in(one) for one in forged] == [None] * len(forged)


def test_a_login_ends_with_the_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(TOKEN)
    cookie = keys.cookie("operator")
    later = time.time() + LOGIN_S + 1
    monkeypatch.setattr("services.api.access.time.time", lambda: later)
    assert keys.name_in(cookie) is None


def test_the_token_itself_is_compared_whole() -> None:
    keys = Keys(TOKEN)
    assert keys.fits(TOKEN)
    assert not keys.fits(TOKEN[:-1])
    assert not keys.fits("")
    assert not Keys(None).fits("")


def test_without_a_token_no_cookie_is_believed() -> None:
    assert Keys(None).name_in(Keys(TOKEN).cookie("operator")) is None


def test_a_short_token_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        keys_for(Settings(home=tmp_path, token="short"))


def test_an_open_address_without_a_token_does_not_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path).model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(ConfigurationError, match="WAFERWATCH_TOKEN"):
        keys_for(settings)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.7", False), ("fab", False)],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
