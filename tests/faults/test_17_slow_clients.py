"""Fault row 17: clients that say nothing, or say it slowly, or do not take the answer, hold nothing for ever."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware import Middleware

from services.api.guards import BodyGuard
from services.api.slow_clients import ImpatientProtocol

pytestmark = [pytest.mark.faults, pytest.mark.timeout(60)]
HEAD_S, SILENCE_S, TAKING_S = 0.6, 0.5, 0.5

LARGE = 64 << 20


class Hasty(ImpatientProtocol):
    head_s = HEAD_S
    taking_s = TAKING_S


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """A server as in production, only less patient."""
    app = FastAPI(middleware=[Middleware(BodyGuard, silence_s=SILENCE_S, slowest_bytes_s=1000.0)])

    @app.post("/change")
    async def change(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/large")
    def large() -> Response:
        return Response(b"x" * (64 << 20))

    @app.get("/quick")
    def quick() -> dict[str, str]:
        return {}

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=Hasty, log_config=None, timeout_keep_alive=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()
    server.should_exit = True
    thread.join(10)
    listener.close()


def until_closed(connection: socket.socket, patience_s: float = 5.0) -> tuple[bytes, float]:
    """Everything the server still says, and how long it took to hang up."""
    began, said = time.monotonic(), b""
    connection.settimeout(patience_s)
    while piece := connection.recv(1 << 16):
        said += piece
    return said, time.monotonic() - began


def test_silence_is_hung_up_on(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        said, took = until_closed(connection)
    assert said == b""
    assert HEAD_S * 0.8 < took < HEAD_S + 2


@pytest.mark.parametrize("begin", [b"GET /quick HTTP/1.1\r\nHost: x\r\nX-A: ", b"\r\n", b"G"])
def test_a_head_half_said_is_answered_408(address: tuple[str, int], begin: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(begin)
        said, took = until_closed(connection)
    assert said.startswith(b"HTTP/1.1 408")
    assert took < HEAD_S + 2


def test_a_trickling_head_gains_no_time(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        began = time.monotonic()
        connection.sendall(b"GET /quick HTTP/1.1\r\n")
        answered: list[socket.socket] = []
        while not answered and time.monotonic() - began < 10:
            connection.sendall(b"X-A: b\r\n")
            answered = select.select([connection], [], [], 0.05)[0]
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < HEAD_S + 2


@pytest.mark.parametrize("pause_s", [10.0, 0.05], ids=["silent", "trickling"])
def test_a_body_that_does_not_come_is_answered_408(address: tuple[str, int], pause_s: float) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST /change HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(pause_s):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        said, took = until_closed(connection)
        stop.set()
    assert said.startswith(b"HTTP/1.1 408")
    assert took < SILENCE_S + 3


def test_an_answer_nobody_takes_is_given_up(address: tuple[str, int]) -> None:
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(4 * TAKING_S)
        said = b""
        with suppress(ConnectionResetError):
            said, _ = until_closed(connection)
    assert len(said) < LARGE, "the rest was not kept for it"


def test_who_takes_a_large_answer_slowly_gets_all_of_it(address: tuple[str, int]) -> None:
    with httpx.stream("GET", f"http://{address[0]}:{address[1]}/large", timeout=30) as answer:
        size = 0
        for piece in answer.iter_raw(4 << 20):
            size += len(piece)
            time.sleep(TAKING_S / 4)
    assert size == LARGE


def test_who_rests_between_requests_is_served_again_and_hung_up_on_later(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        for _ in range(3):
            connection.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"{}"):  # head and body may come one after the other
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(HEAD_S / 2)
        _, took = until_closed(connection)
    assert took < 3


def test_slow_clients_do_not_keep_quick_ones_waiting(address: tuple[str, int]) -> None:
    slow = [socket.create_connection(address) for _ in range(100)]
    for one in slow:
        one.sendall(b"POST /change HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    began = time.monotonic()
    assert httpx.get(f"http://{address[0]}:{address[1]}/quick").status_code == 200
    took = time.monotonic() - began
    for one in slow:
        one.close()
    assert took < 2
