"""Whatever a page offers, the server lets its reader do; whatever somebody may do, some page offers them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.access.roles import GRANTS, OF_PEOPLE, Principal, Role
from services.api.needs import Doors
from services.dashboard.permits import Permits
from tests.services.access.people import let_in, log_in, token_for
from tests.services.api.conftest import Serve, serve  # noqa: F401 - fixture
from tests.services.api.filling import Filled, fill
from tests.services.api.test_access import app  # noqa: F401 - fixture
from tests.services.conftest import MakeBundle

ADDED = ("/jobs?state=set-aside", "/thresholds?budget=0.02", "/jobs/{quarantined}", "/inspections/{inspection}")
"""Views that no link leads to, or only sometimes."""
OPEN = {"/login"}
OWN = {"/logout", "/account/password", "/account/tokens", "/account/tokens/{token_id}/revoke"}
OWN |= {"/account/logins/{login_id}/end"}
"""What only people with a login have."""


@dataclass
class Offered(HTMLParser):
    """Links and forms of a page, and buttons that belong to no form."""

    links: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    inside: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.links |= {has[name] for name in ("href", "data-live-src") if tag != "link" and name in has}
        if tag == "form":
            self.inside = True
            self.ids.add(has.get("id", ""))
            if has.get("method", "get").lower() == "post":
                self.targets.add(has.get("action", "(here)"))
        elif tag in ("button", "input", "select", "textarea") and not self.inside and not has.get("form"):
            self.lost.append(str(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


def walk(get: Callable[[str], httpx.Response], starts: list[str]) -> dict[str, Offered]:
    """Every page that links lead to, by its address; of other times the one that is met first."""
    waiting, seen, known = list(starts), dict[str, Offered](), set()
    while waiting:
        path = waiting.pop().split("#")[0]
        kind = re.sub(r"(since|until|reach|days|size)=[^&]*", "", path)
        if kind in known or not path.startswith("/") or path.startswith(("/static/", "/api/")):
            continue
        known.add(kind)
        answer = get(path)
        assert answer.status_code in (200, 303, 307), f"{path} was offered: {answer.status_code}"
        seen[path] = Offered()
        if answer.headers.get("content-type", "").startswith("text/html"):
            seen[path].feed(answer.text)
            waiting += sorted(seen[path].links)
    return seen


def everything(filled: Filled, headers: dict[str, str]) -> dict[str, Offered]:
    names = {"quarantined": filled.quarantined, "inspection": filled.inspection_id}
    starts = ["/", "/alerts", *(path.format(**names) for path in ADDED)]
    html = headers | {"Accept": "text/html"}
    return walk(lambda path: filled.service.client.get(path, headers=html), starts)


def changing(app: FastAPI, may: frozenset[Role]) -> set[str]:  # noqa: F811
    """Addresses of pages behind which these roles change something."""
    doors: Doors = app.state.doors
    return {
        one.path
        for one in doors.guarded
        if "POST" in one.methods and not one.path.startswith("/api/") and not may.isdisjoint(one.needs)
    } - OPEN


def template_of(app: FastAPI, target: str) -> str:  # noqa: F811
    doors: Doors = app.state.doors
    posts = [one.path for one in doors.guarded if "POST" in one.methods]
    return next(path for path in posts if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", path), target))


@pytest.mark.parametrize("role", OF_PEOPLE, ids=str)
def test_pages_offer_what_their_reader_may_do_and_all_of_it(
    serve: Serve,  # noqa: F811
    make_bundle: MakeBundle,
    tmp_path: Path,
    app: FastAPI,  # noqa: F811
    role: Role,
) -> None:
    filled = fill(serve, make_bundle, tmp_path, login="always", requests_per_minute=10**6)
    database, doors = filled.service.database, app.state.doors
    let_in(database, "zoe", role)
    token_for(database, role, owner="zoe")
    log_in(filled.service, "zoe")
    pages = everything(filled, log_in(filled.service, "zoe"))
    assert len(pages) > 40
    found = set()
    for path, offered in pages.items():
        assert offered.lost == [], f"{path}: buttons and fields without a form"
        for target in offered.targets:
            assert not GRANTS[role].isdisjoint(doors.needs_at(target, "POST")), f"{path} offers {target}"
            found.add(template_of(app, target))
        for link in offered.links:
            assert not GRANTS[role].isdisjoint(doors.needs_at(link.split("?")[0], "GET") or Role), f"{path}: {link}"
    assert found == changing(app, GRANTS[role])


def test_where_nobody_logs_in_everything_is_offered(
    serve: Serve,  # noqa: F811
    make_bundle: MakeBundle,
    tmp_path: Path,
    app: FastAPI,  # noqa: F811
) -> None:
    filled = fill(serve, make_bundle, tmp_path)
    let_in(filled.service.database, "zoe", Role.VIEWER)
    token_for(filled.service.database, Role.INGEST)
    pages = everything(filled, {})
    found = {template_of(app, target) for offered in pages.values() for target in offered.targets}
    assert found == changing(app, GRANTS[Role.ADMIN]) - OWN


def test_who_else_may_is_said(app: FastAPI) -> None:  # noqa: F811
    permits = Permits(app.state.doors, Principal("zoe", GRANTS[Role.VIEWER]))
    assert not permits.may("/alerts/7/change")
    assert permits.who("/alerts/7/change") == "operators"
    assert permits.who("/models/3/promote") == "engineers"
    assert permits.who("/users", "GET") == "admins"
    assert permits.who("/upload") == "operators", "tools may as well, but people ask"
    assert permits.may("/alerts?state=all", "GET")
    nobody = Permits(app.state.doors, None)
    assert nobody.may("/login")
    assert not nobody.may("/alerts", "GET")


def test_a_viewer_is_told_who_acts(serve: Serve, make_bundle: MakeBundle, tmp_path: Path) -> None:  # noqa: F811
    filled = fill(serve, make_bundle, tmp_path, login="always", requests_per_minute=10**6)
    let_in(filled.service.database, "zoe", Role.VIEWER)
    cookies = log_in(filled.service, "zoe")
    said = {
        "/alerts": "waits for operators",
        "/alerts/1": "Operators acknowledge, assign and close",
        "/unknown": "Operators give names",
        "/labels": "Operators say what captures show",
        "/silences": "Operators make and end them",
        "/models/3": "Engineers may let it judge",
        "/thresholds?budget=0.02": "Engineers may put",
        f"/jobs/{filled.quarantined}": "Operators may try it again",
        "/quarantine": "Operators may try them again",
    }
    for path, text in said.items():
        answer = filled.service.client.get(path, headers=cookies)
        assert text in answer.text, path
