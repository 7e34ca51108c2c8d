"""Ids of requests: what is taken from callers, what is not, and how far an id reaches."""

import threading
from contextvars import copy_context

import pytest

from services.telemetry.request_id import chosen_id, current_request_id, serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("told", ["a1b2c3d4", TRACE, "mes:lot-7.retry_2", "A" * 64])
def test_a_well_formed_id_is_taken(told: str) -> None:
    assert chosen_id(told, PARENT) == told


@pytest.mark.parametrize(
    "told",
    ["", "short", "A" * 65, "with space", "line\nbreak1", "<script>alert", "wafer-µ-12", "-leading1", "١٢٣٤٥٦٧٨"],
)
def test_any_other_is_replaced(told: str) -> None:
    assert chosen_id(told, PARENT) == TRACE
    made = chosen_id(told, None)
    assert made != told
    assert chosen_id(made, None) == made, "ours are well-formed"
    assert made != chosen_id(told, None)


@pytest.mark.parametrize(
    "traceparent",
    [
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        TRACE,
        "",
    ],
)
def test_a_trace_that_the_standard_calls_invalid_is_not_taken(traceparent: str) -> None:
    assert chosen_id(None, traceparent) != TRACE


def test_later_versions_of_traceparent_may_say_more() -> None:
    assert chosen_id(None, f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes") == TRACE


def test_threads_that_work_for_a_request_know_it() -> None:
    seen = []
    with serving("request-1"):
        worker = threading.Thread(target=copy_context().run, args=(lambda: seen.append(current_request_id()),))
        worker.start()
        worker.join()
        with serving("request-2"):
            seen.append(current_request_id())
        seen.append(current_request_id())
    assert seen == ["request-1", "request-2", "request-1"]
    assert current_request_id() is None
