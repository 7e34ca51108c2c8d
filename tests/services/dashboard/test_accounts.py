"""Lists of users and tokens lead back to the page a form was sent from."""

import re
from html import unescape

import httpx
import pytest

from services.access.roles import Role
from services.dashboard import accounts
from tests.services.access.people import let_in, log_in, token_for
from tests.services.api.conftest import Serve, serve  # noqa: F401 - fixture


def addresses(answer: httpx.Response, pattern: str) -> list[str]:
    return [unescape(one) for one in re.findall(pattern, answer.text)]


@pytest.mark.parametrize(("page", "owner"), [("/users", None), ("/account", "ada")])
def test_revoking_on_a_later_page_stays_there(
    serve: Serve,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    owner: str | None,
) -> None:
    monkeypatch.setattr(accounts, "SHOWN", 2)
    service = serve(login="always")
    let_in(service.database, "ada", Role.ADMIN)
    for _ in range(3):
        token_for(service.database, Role.INGEST, owner=owner)
    service.client.headers.update(log_in(service, "ada"))
    (older,) = addresses(service.client.get(page), r'<a class="button" href="([^"]*)" rel="next"')
    (revoke,) = addresses(service.client.get(older), r'action="([^"]*/revoke[^"]*)"')
    answer = service.client.post(revoke)
    assert (answer.status_code, answer.headers["location"]) == (303, older)
    assert "revoked" in service.client.get(older).text


def test_users_and_tokens_go_on_each_by_itself(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(accounts, "SHOWN", 1)
    service = serve(login="always")
    for name in ("ada", "bob"):
        let_in(service.database, name, Role.ADMIN)
        token_for(service.database, Role.INGEST)
    service.client.headers.update(log_in(service, "ada"))
    users, tokens = addresses(service.client.get("/users"), r'<a class="button" href="([^"]*)" rel="next"')
    (both,) = addresses(service.client.get(users), r'<a class="button" href="([^"]*)" rel="next"')
    assert {one.partition("=")[0] for one in (users, tokens)} == {"/users?people", "/users?cursor"}
    assert "people=" in both, "the next tokens beside the users that are shown"
    assert "cursor=" in both
    (change,) = addresses(service.client.get(both), r'action="([^"]*/change[^"]*)"')
    answer = service.client.post(change, data={"to": "viewer"})
    assert answer.headers["location"] == both
    refused = service.client.post(
        "/users" + both.removeprefix("/users"), data={"name": "", "role": "viewer", "password": "short"}
    )
    assert refused.status_code == 422
