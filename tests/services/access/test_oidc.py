"""Logging in at an identity provider: a real round over HTTP, and every way in which it must not succeed."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import RSAKey
from prometheus_client import CollectorRegistry

from models.domain.errors import ConfigurationError
from services.access import users
from services.access.oidc import Provider
from services.access.roles import Role
from services.api.app import create_app
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.services.access.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.services.access.people import let_in
from tests.services.api.conftest import FakeIntake, opened
from tests.web import served

PUBLIC = "http://service.invalid"
"""How browsers call the service, if they ask the proxy in front of it."""


class Plant:
    """A service and its identity provider."""

    def __init__(self, url: str, provider: IdentityProvider, database: Database) -> None:
        self.url, self.provider, self.database = url, provider, database

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Accept": "text/html"}, timeout=30)

    def log_in(self, browser: httpx.Client, back: str = "/quality") -> httpx.Response:
        """Go there and back; the answer to coming back."""
        return browser.get(self.to_provider_and_back(browser, back))

    def to_provider_and_back(self, browser: httpx.Client, back: str = "/quality") -> str:
        away = browser.get("/login/provider", params={"back": back})
        assert away.status_code == 303
        assert away.headers["location"].startswith(self.provider.issuer)
        coming = httpx.get(away.headers["location"]).headers["location"]
        assert coming.startswith(f"{PUBLIC}/login/arrived?")
        return str(coming.replace(PUBLIC, self.url))

    def names(self) -> list[tuple[str, Role]]:
        with self.database.read() as session:
            return [(one.name, one.role) for one in users.users(session).items]


@pytest.fixture
def plant(tmp_path: Path, sqlite_template: Path) -> Iterator[Plant]:
    shutil.copy(sqlite_template, tmp_path / "waferwatch.db")
    provider = IdentityProvider()
    with served(provider.app()) as issuer:
        provider.issuer = issuer
        settings = Settings(
            home=tmp_path, login="always", public_url=PUBLIC, oidc_issuer=issuer,
            oidc_client_id=CLIENT, oidc_client_secret=SECRET,
            oidc_roles={"fab-operators": "operator", "fab-viewers": "viewer", "it": "admin"},
        )  # fmt: skip
        database = Database(settings.database_url)
        app = create_app(
            settings, database, accept=FakeIntake(database), opener=opened, metrics=Metrics(CollectorRegistry())
        )
        with served(app) as url:
            yield Plant(url, provider, database)
        database.close()


def test_a_login_at_the_provider_opens_the_pages(plant: Plant) -> None:
    with plant.browser() as browser:
        assert "Log in at" in browser.get("/alerts").text
        answer = plant.log_in(browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "/quality")
        assert "zoe" in browser.get("/quality").text
        assert browser.get("/users").status_code == 403
    assert plant.names() == [("zoe", Role.OPERATOR)]


@pytest.fixture
def visit(plant: Plant) -> Iterator[httpx.Client]:
    """A browser."""
    with plant.browser() as browser:
        yield browser


def test_groups_decide_the_role_at_each_login(plant: Plant, visit: httpx.Client) -> None:
    plant.log_in(visit)
    plant.provider.claims = {"groups": ["fab-viewers", "it"], "preferred_username": "renamed"}
    plant.log_in(visit)
    assert plant.names() == [("zoe", Role.ADMIN)], "the same person; the strongest role counts"
    assert visit.get("/users").status_code == 200


@pytest.mark.parametrize("groups", [[], None, ["canteen"], "canteen", {"fab-operators": 1}, [["fab-operators"]], 7])
def test_without_a_group_that_gives_a_role_nobody_gets_in(plant: Plant, visit: httpx.Client, groups: object) -> None:
    plant.provider.claims = {"groups": groups}
    answer = plant.log_in(visit)
    assert answer.status_code == 403
    assert "None of your groups has a role here" in answer.text
    assert plant.names() == []
    assert visit.get("/alerts").status_code == 401


NOW = time.time()
WRONG = {
    "another issuer": {"claims": {"iss": "http://127.0.0.1:1"}},
    "no issuer": {"claims": {"iss": None}},
    "another audience": {"claims": {"aud": "another-app"}},
    "several audiences, made for another": {"claims": {"aud": [CLIENT, "other"], "azp": "other"}},
    "no audience": {"claims": {"aud": None}},
    "expired": {"claims": {"exp": NOW - 3600}},
    "no end": {"claims": {"exp": None}},
    "an end that is no number": {"claims": {"exp": "tomorrow"}},
    "issued in the future": {"claims": {"iat": NOW + 3600}},
    "another nonce": {"claims": {"nonce": "x"}},
    "no nonce": {"claims": {"nonce": None}},
    "no subject": {"claims": {"sub": None}},
    "another access token": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "no signature": {"algorithm": "none", "key": b"none"},
    "our secret as the key": {"algorithm": "HS256", "key": SECRET.encode()},
    "a key of somebody else": {"key": RSAKey.generate_key(2048, {"kid": "1"})},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_is_not_right_in_every_respect_lets_nobody_in(
    plant: Plant, visit: httpx.Client, wrong: str
) -> None:
    for name, value in WRONG[wrong].items():
        setattr(plant.provider, name, value)
    answer = plant.log_in(visit)
    assert answer.status_code == 401
    assert "token is not right" in answer.text
    assert plant.names() == []
    assert visit.get("/alerts").status_code == 401


def test_the_public_key_as_a_secret_lets_nobody_in(plant: Plant, visit: httpx.Client) -> None:
    """Algorithm confusion: HS256 keyed with the published RSA key."""
    plant.provider.algorithm, plant.provider.key = "HS256", plant.provider.key.as_pem(private=False)
    assert plant.log_in(visit).status_code == 401


def test_a_round_is_good_once_and_in_the_browser_that_began_it(plant: Plant, visit: httpx.Client) -> None:
    coming = plant.to_provider_and_back(visit)
    with plant.browser() as other:
        answer = other.get(coming)
        assert answer.status_code == 401
        assert "not begun in this browser" in answer.text
    shown = dict(visit.cookies)
    assert visit.get(coming).status_code == 303
    visit.cookies.clear()
    for name, value in shown.items():
        visit.cookies.set(name, value, domain="127.0.0.1")
    again = visit.get(coming)
    assert again.status_code == 401
    assert "login is over" in again.text


@pytest.mark.parametrize("change", [("code=", "code=x"), ("state=", "state=x")])
def test_a_changed_code_or_state_lets_nobody_in(plant: Plant, visit: httpx.Client, change: tuple[str, str]) -> None:
    assert visit.get(plant.to_provider_and_back(visit).replace(*change)).status_code == 401
    assert plant.names() == []


def test_what_the_provider_says_against_it_is_shown(plant: Plant, visit: httpx.Client) -> None:
    plant.to_provider_and_back(visit)
    state = visit.cookies["waferwatch_round"]
    answer = visit.get("/login/arrived", params={"state": state, "error": "access_denied<script>"})
    assert answer.status_code == 401
    assert "<script>" not in answer.text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_way_back_leads_nowhere_else(plant: Plant, visit: httpx.Client, back: str) -> None:
    assert plant.log_in(visit, back).headers["location"] == "/"


def test_a_name_of_the_provider_takes_over_nobody_here(plant: Plant, visit: httpx.Client) -> None:
    let_in(plant.database, "ZOE", Role.ADMIN)
    plant.log_in(visit)
    (local, local_role), (guest, guest_role) = sorted(plant.names())
    assert (local, local_role) == ("ZOE", Role.ADMIN)
    assert guest.startswith("zoe (127.0.0.1:")
    assert guest_role is Role.OPERATOR
    assert visit.get("/users").status_code == 403


def test_who_is_disabled_here_stays_out(plant: Plant, visit: httpx.Client) -> None:
    let_in(plant.database, "boss", Role.ADMIN)
    plant.log_in(visit)
    with plant.database.write() as session:
        users.disable_user(session, users.user_named(session, "zoe").id, by="boss")
    assert visit.get("/alerts").status_code == 401
    answer = plant.log_in(visit)
    assert answer.status_code == 403
    assert "disabled" in answer.text.lower()


def test_new_keys_of_the_provider_are_fetched_but_not_for_every_forged_token(
    plant: Plant, visit: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.log_in(visit)
    plant.provider.key = RSAKey.generate_key(2048, {"kid": "1"})
    plant.provider.published = [plant.provider.key]
    before = plant.provider.asked_for_keys
    assert plant.log_in(visit).status_code == 401, "fetched a moment ago: not again so soon"
    assert plant.provider.asked_for_keys == before
    monkeypatch.setattr("services.access.oidc._KEYS_AGAIN_S", 0.0)
    assert plant.log_in(visit).status_code == 303
    assert plant.provider.asked_for_keys == before + 1


def test_without_the_provider_the_login_page_still_works(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, login="always", public_url="http://localhost", oidc_issuer="http://127.0.0.1:1",
        oidc_client_id=CLIENT, oidc_roles={"it": "admin"},
    )  # fmt: skip
    database = Database(settings.database_url)
    metrics = Metrics(CollectorRegistry())
    with served(create_app(settings, database, accept=FakeIntake(database), opener=opened, metrics=metrics)) as url:
        assert httpx.get(f"{url}/login/provider").status_code == 503
        assert httpx.get(f"{url}/login").status_code == 200
    database.close()


def test_a_provider_that_calls_itself_otherwise_is_a_wrong_setting(plant: Plant, visit: httpx.Client) -> None:
    plant.provider.issuer += "/realm"
    assert visit.get("/login/provider").status_code == 500


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"oidc_issuer": "http://idp.example"}, "https://"),
        ({"oidc_client_id": ""}, "oidc_client_id"),
        ({"public_url": None}, "public_url"),
        ({"oidc_roles": {}}, "oidc_roles"),
        ({"oidc_roles": {"tools": "ingest"}}, "not for people"),
    ],
)
def test_half_a_setup_does_not_start(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    whole = {
        "home": tmp_path, "oidc_issuer": "https://idp.example", "oidc_client_id": CLIENT,
        "public_url": "https://wafers.example", "oidc_roles": {"it": "admin"},
    }  # fmt: skip
    assert Settings.load(**whole).oidc_roles == {"it": Role.ADMIN}
    with pytest.raises(ConfigurationError, match=named):
        Settings.load(**whole | changed)


def test_the_provider_is_known_by_its_host() -> None:
    from services.access.oidc import Client

    client = Client("https://idp.example/realm", CLIENT, None, "https://w/a", "openid", "name", "groups", {})
    assert Provider(client).host == "idp.example"
