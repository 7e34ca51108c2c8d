"""Frames between parent and child: what goes in comes out, and what is no frame is refused."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.decoding.wire import error_header, raise_error, receive, send


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    one.settimeout(5)
    other.settimeout(5)
    with one, other:
        yield one, other


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9), max_size=4),
    values=arrays.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
    ),
)
def test_round_trip(pair: tuple[socket.socket, socket.socket], header: dict[str, Any], values: np.ndarray) -> None:
    header.pop("arrays", None)
    send(pair[0], header, {"a": values, "b": values[..., ::-1] if values.ndim else values})
    frame = receive(pair[1])
    assert frame is not None
    assert frame[0] == header
    assert frame[1]["a"].dtype == values.dtype
    assert frame[1]["a"].shape == values.shape
    np.testing.assert_array_equal(frame[1]["a"], values)


def test_big_arrays_go_through(pair: tuple[socket.socket, socket.socket]) -> None:
    values = np.arange(3_000_000, dtype=np.int64)
    thread = threading.Thread(target=send, args=(pair[0], {}, {"a": values}))
    thread.start()
    frame = receive(pair[1])
    thread.join()
    assert frame is not None
    np.testing.assert_array_equal(frame[1]["a"], values)


@pytest.mark.parametrize(
    "described", [["a", "|O", [1]], ["a", "|V8", [1]], ["a", "<i8", [1 << 40]], ["a", "<i8", [-1]], ["a", "S9", [1]]]
)
def test_arrays_that_could_hurt_are_refused(pair: tuple[socket.socket, socket.socket], described: list[Any]) -> None:
    text = json.dumps({"arrays": [described]}).encode()
    pair[0].sendall(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ValueError):
        receive(pair[1])


def test_a_header_without_end_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].sendall((1 << 40).to_bytes(8, "little"))
    with pytest.raises(ValueError):
        receive(pair[1])


@pytest.mark.parametrize("sent", [0, 3, 8, 12])
def test_a_closed_channel_is_the_end(pair: tuple[socket.socket, socket.socket], sent: int) -> None:
    frame = (20).to_bytes(8, "little") + b'{"arrays": []}'
    pair[0].sendall(frame[:sent])
    pair[0].close()
    assert receive(pair[1]) is None


@pytest.mark.parametrize("kind", [InputError, UnsafeInputError, RetryableError])
def test_errors_cross_with_all_their_parts(kind: type[InputError]) -> None:
    error = kind("what", expected="this", got="that", remedy="do so", code="some-code")
    with pytest.raises(kind) as caught:
        raise_error(error_header(error)["error"], "the file")
    assert type(caught.value) is kind
    assert caught.value.code == "some-code"
    assert str(caught.value) == "what: the file; expected this; got that; do so"


def test_unknown_kinds_of_errors_are_the_files_fault() -> None:
    with pytest.raises(InputError):
        raise_error({"kind": "SystemExit", "what": 5}, "the file")
