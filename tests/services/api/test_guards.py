"""Guards: what passes, what is refused, and that each refusal is one readable answer."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from services.api.guards import BodyGuard, SameOrigin, SecurityHeaders
from services.api.problems import LastResort, NotFoundError, handle_errors
from tests.web import served


def app_behind(*layers: Middleware) -> FastAPI:
    app = FastAPI(middleware=layers)

    @app.get("/read")
    def read() -> dict[str, str]:
        return {"secret": "wafer"}

    @app.post("/change")
    async def change(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/missing")
    def missing() -> None:
        raise NotFoundError("no such inspection", where="abc", remedy="look in /api/v1/inspections")

    @app.get("/broken")
    def broken() -> None:
        int("password=hunter2")

    handle_errors(app, None)
    return app


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    app = app_behind(
        Middleware(SecurityHeaders),
        Middleware(LastResort, page=None),
        Middleware(SameOrigin, hosts=["localhost", "::1"]),
    )
    with served(app) as address, httpx.Client(base_url=address, headers={"Host": "localhost:8080"}) as client:
        yield client


@pytest.mark.parametrize("path", ["/read", "/missing", "/broken", "/nowhere"])
def test_every_answer_carries_the_policy(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "localhost/x"])
def test_a_foreign_name_for_this_address_reads_nothing(client: httpx.Client, host: str) -> None:
    answer = client.get("/read", headers={"Host": host})
    assert answer.status_code == 403
    assert "wafer" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "[::1]:8080"])
def test_our_own_names_with_any_port_are_fine(client: httpx.Client, host: str) -> None:
    assert client.get("/read", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8080"}, 200),
        ({"Origin": "https://localhost:8080"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_only_our_own_pages_may_change_things(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    assert client.post("/change", headers=headers).status_code == status
    assert client.get("/read", headers=headers).status_code == 200


def test_an_error_of_ours_is_told_in_parts(client: httpx.Client) -> None:
    answer = client.get("/missing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "status": 404,
        "code": "not-found",
        "title": "no such inspection",
        "detail": "no such inspection: abc; look in /api/v1/inspections",
        "where": "abc",
        "remedy": "look in /api/v1/inspections",
    }


def test_what_nobody_foresaw_is_logged_and_not_told(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["code"] == "unforeseen"
    assert "hunter2" in caplog.text


class Drip:
    """An ASGI receive that hands out one byte after each pause, for ever."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s

    async def __call__(self) -> dict[str, object]:
        await asyncio.sleep(self.pause_s)
        return {"type": "http.request", "body": b"x", "more_body": True}


@pytest.mark.parametrize("pause_s", [10.0, 0.02], ids=["silent", "trickling"])
def test_a_body_that_does_not_come_is_ended(pause_s: float) -> None:
    app = app_behind(Middleware(BodyGuard, silence_s=0.2, slowest_bytes_s=1000.0))
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/change", "raw_path": b"/change", "query_string": b"",
        "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http", "server": ("localhost", 80),
        "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    began = time.monotonic()
    asyncio.run(app(scope, Drip(pause_s), send))  # type: ignore[arg-type]
    assert time.monotonic() - began < 5
    assert sent[0]["status"] == 408


def test_a_body_that_keeps_coming_passes() -> None:
    with served(app_behind(Middleware(BodyGuard, silence_s=5.0))) as address:
        assert httpx.post(f"{address}/change", content=b"x" * 300_000).json() == {"bytes": 300_000}


def test_a_body_over_its_limit_is_ended_whether_it_says_its_size_or_not() -> None:
    with served(app_behind(Middleware(BodyGuard, limits_bytes={"/elsewhere": 1 << 30}))) as address:
        pieces = (b"x" * 65536 for _ in range(32))
        assert httpx.post(f"{address}/change", content=b"x" * (2 << 20)).status_code == 413
        assert httpx.post(f"{address}/change", content=pieces).status_code == 413
