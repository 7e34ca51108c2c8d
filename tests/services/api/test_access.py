"""Access: every route of the app asks who it is and whether they may, for every role; what opens it, what does not."""

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry

from services.access.roles import GRANTS, OF_PEOPLE, Role
from services.access.tokens import create_token, revoke_token, tokens
from services.access.users import change_role, disable_user
from services.api.app import create_app
from services.api.needs import EVERYBODY, needs, open_to_all, stated_needs
from services.api.watching import STREAMS
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.services.access.people import PASSWORD, let_in, log_in, token_for
from tests.services.api.conftest import FakeIntake, Serve, Service, opened
from tests.web import served

OPEN = {"GET /healthz", "GET /login", "POST /login", "GET /login/provider", "GET /login/arrived"}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
HTML = {"Accept": "text/html"}


@pytest.fixture
def guarded(serve: Serve) -> Service:
    """A service that others can reach: with a login."""
    return serve(host="0.0.0.0")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), host="0.0.0.0")
    database = Database(settings.database_url)
    yield create_app(
        settings, database, accept=FakeIntake(database), opener=opened, metrics=Metrics(CollectorRegistry())
    )
    database.close()


def routes_of(app: FastAPI) -> list[tuple[str, str, frozenset[Role]]]:
    """(method, path, needed roles) of every route, as the door sees them."""
    return [(method, one.path, one.needs) for one in app.state.doors.guarded for method in sorted(one.methods)]


def test_the_door_knows_every_route(app: FastAPI) -> None:
    known = {(method, path) for method, path, _ in routes_of(app)}
    there = {(method, one.path) for one in iter_route_contexts(app.routes) for method in one.methods or ()}
    assert len(there) > 40
    assert there == known


def test_whatever_changes_something_says_which_role_it_needs(app: FastAPI) -> None:
    silent = [
        f"{one.path}"
        for one in iter_route_contexts(app.routes)
        if UNSAFE & (one.methods or set()) and stated_needs(one.endpoint) is None
    ]
    assert silent == [], "mark these with @needs(Role.…); until then they are for admins"


def test_only_these_routes_are_open_to_all(app: FastAPI) -> None:
    assert {f"{method} {path}" for method, path, needed in routes_of(app) if needed == EVERYBODY} == OPEN


@pytest.mark.parametrize("shown", [None, *Role], ids=str)
def test_every_route_refuses_whoever_may_not(guarded: Service, app: FastAPI, shown: Role | None) -> None:
    if shown is not None:
        guarded.client.headers["Authorization"] = f"Bearer {token_for(guarded.database, shown)}"
    refused = 0
    for method, path, needed in routes_of(app):
        may = needed == EVERYBODY or (shown is not None and not needed.isdisjoint(GRANTS[shown]))
        if may and (method != "GET" or path in STREAMS or needed == EVERYBODY):
            continue  # it would do something, or never end, or asks by itself; the tests of each route go there
        answer = guarded.client.request(method, re.sub(r"\{[^}]*\}", "1", path))
        if may:
            assert answer.status_code not in (401, 403), f"{method} {path}: {answer.status_code}"
        else:
            refused += 1
            assert answer.status_code == (401 if shown is None else 403), f"{method} {path}: {answer.status_code}"
            assert answer.headers["content-type"] == "application/problem+json"
    assert (refused == 0) is (shown is Role.ADMIN)


def test_outsiders_do_not_learn_which_addresses_exist(guarded: Service) -> None:
    assert guarded.client.get("/nowhere").status_code == 401
    assert guarded.client.put("/login").status_code == 401


def test_a_refused_upload_is_not_even_read(guarded: Service) -> None:
    secret = token_for(guarded.database, Role.VIEWER)
    host, port = guarded.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /api/v1/captures HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 4000000000\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 403")


def test_stronger_roles_include_weaker_ones() -> None:
    for weaker, stronger in pairwise(OF_PEOPLE):
        assert GRANTS[weaker] < GRANTS[stronger]
    assert GRANTS[Role.ADMIN] == frozenset(Role)
    assert GRANTS[Role.INGEST] == {Role.INGEST}


def test_forgetting_to_say_opens_nothing() -> None:
    from services.api.needs import Doors

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/look")
    def look() -> None: ...

    @app.post("/change")
    def change() -> None: ...

    @app.post("/work")
    @needs(Role.OPERATOR, Role.INGEST)
    def work() -> None: ...

    @app.get("/alive")
    @open_to_all
    def alive() -> None: ...

    doors = Doors(app.routes)
    assert doors.needs_at("/look", "GET") == {Role.VIEWER}
    assert doors.needs_at("/change", "POST") == {Role.ADMIN}
    assert doors.needs_at("/work", "POST") == {Role.OPERATOR, Role.INGEST}
    assert doors.needs_at("/alive", "GET") == EVERYBODY
    assert doors.needs_at("/alive", "POST") == frozenset(Role)
    assert doors.needs_at("/static/page.css", "GET") == EVERYBODY


def test_a_login_opens_the_pages_and_a_logout_closes_them(guarded: Service) -> None:
    let_in(guarded.database, "Zoë", Role.OPERATOR)
    page = guarded.client.get("/alerts?state=all", headers=HTML)
    assert page.status_code == 401
    assert 'name="password"' in page.text
    assert 'value="/alerts?state=all"' in page.text
    answer = guarded.client.post("/login", data={"name": "ZOË", "password": PASSWORD, "back": "//evil.example/"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-waferwatch_")
        assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert PASSWORD not in cookie
    cookies = log_in(guarded, "Zoë")
    page = guarded.client.get("/alerts", headers=HTML | cookies)
    assert page.status_code == 200
    assert "Zoë" in page.text
    assert guarded.client.post("/logout", headers=cookies).status_code == 303
    assert guarded.client.get("/alerts", headers=cookies).status_code == 401, "the cookie is worth nothing any more"


def test_cookies_over_plain_http_are_a_choice(serve: Serve) -> None:
    service = serve(host="0.0.0.0", public_url="http://plant.example:8080")
    let_in(service.database, "zoe", Role.VIEWER)
    answer = service.client.post("/login", data={"name": "zoe", "password": PASSWORD})
    assert "Secure" not in answer.headers["set-cookie"]
    assert service.client.get("/alerts").status_code == 200


def test_a_login_without_tls_says_why_it_will_not_hold(guarded: Service) -> None:
    assert "without encryption" in guarded.client.get("/login").text


@pytest.mark.parametrize("way", ["role", "disabled"])
def test_what_an_admin_changes_holds_from_the_next_request_on(guarded: Service, way: str) -> None:
    let_in(guarded.database, "boss", Role.ADMIN)
    user_id = let_in(guarded.database, "zoe", Role.OPERATOR)
    cookies = log_in(guarded, "zoe")
    token = {"Authorization": f"Bearer {token_for(guarded.database, Role.OPERATOR, owner='zoe')}"}
    for shown in (cookies, token):
        assert guarded.client.post("/api/v1/jobs/7/retry", headers=shown).status_code == 404
    with guarded.database.write() as session:
        if way == "role":
            change_role(session, user_id, Role.VIEWER, by="boss")
        else:
            disable_user(session, user_id, by="boss")
    for shown in (cookies, token):
        answer = guarded.client.post("/api/v1/jobs/7/retry", headers=shown)
        assert answer.status_code == (403 if way == "role" else 401)


def test_a_revoked_an_ended_and_an_invented_token_open_nothing(guarded: Service) -> None:
    secret = token_for(guarded.database, Role.VIEWER)
    ask = {"Authorization": f"Bearer {secret}"}
    assert guarded.client.get("/api/v1/alerts", headers=ask).status_code == 200
    for invented in ("x", "ww_", secret[:-1], secret + "x", secret.upper(), "ww_" + "A" * 5000, "nonsense"):
        answer = guarded.client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {invented}"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    with guarded.database.write() as session:
        (token,) = tokens(session).items
        assert token.last_used_at is not None
        revoke_token(session, token.id, by="test")
    assert guarded.client.get("/api/v1/alerts", headers=ask).status_code == 401
    with guarded.database.write() as session:
        past, made = create_token(session, "old", {Role.VIEWER}, days=1, owner=None, by="test")
        from services.records.access_tables import TokenRow

        row = session.get_one(TokenRow, made.id)
        assert row.expires_at is not None
        row.expires_at -= timedelta(days=2)
    assert guarded.client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {past}"}).status_code == 401


def test_a_token_in_the_address_is_not_looked_at(guarded: Service) -> None:
    secret = token_for(guarded.database, Role.ADMIN)
    assert guarded.client.get(f"/api/v1/alerts?token={secret}&access_token={secret}").status_code == 401


def test_behind_a_proxy_on_the_same_machine_a_login_can_be_asked_for(serve: Serve) -> None:
    assert serve(login="always").client.get("/alerts").status_code == 401


def test_without_its_database_the_door_stays_shut(guarded: Service) -> None:
    secret = token_for(guarded.database, Role.ADMIN)
    guarded.database.close()
    (guarded.settings.home / "waferwatch.db").unlink()
    (guarded.settings.home / "waferwatch.db").mkdir()
    answer = guarded.client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 503
    assert guarded.client.get("/healthz", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert httpx.get(f"{guarded.url}/login").status_code == 200


def test_an_app_can_be_served_before_anybody_was_let_in(app: FastAPI) -> None:
    with served(app) as url:
        assert httpx.get(f"{url}/login").status_code == 200
        assert Path(app.state.wiring.settings.home).exists()
