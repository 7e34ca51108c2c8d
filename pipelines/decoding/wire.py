"""Frames between parent and child: a JSON header, then plain arrays. No pickle: a hijacked child runs no code here."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError, RetryableError, UnsafeInputError, WaferwatchError

MAX_HEADER_BYTES = 64 << 20
MAX_FRAME_BYTES = 1 << 30
_LENGTH_BYTES = 8
_KINDS: dict[str, type[WaferwatchError]] = {
    "InputError": InputError,
    "UnsafeInputError": UnsafeInputError,
    "RetryableError": RetryableError,
}


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """One answer of the child.

    Attributes:
        meta: plain JSON values.
        arrays: name -> array of booleans, integers or floats.
    """

    meta: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def send(channel: socket.socket, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write one frame."""
    solid = {name: np.asarray(values, order="C") for name, values in (arrays or {}).items()}
    described = [[name, values.dtype.str, list(values.shape)] for name, values in solid.items()]
    text = json.dumps({**header, "arrays": described}).encode()
    channel.sendall(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
    for values in solid.values():
        if values.size:
            channel.sendall(memoryview(values.reshape(-1).data).cast("B"))


def receive(channel: socket.socket) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """Read one frame; None if the other side has closed.

    Raises:
        ValueError: the frame is not one of ours.
        TimeoutError: nothing came within the channel's timeout.
    """
    length = bytearray(_LENGTH_BYTES)
    if not _fill(channel, memoryview(length)):
        return None
    size = int.from_bytes(length, "little")
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"header of {size} bytes")
    text = bytearray(size)
    if not _fill(channel, memoryview(text)):
        return None
    header = json.loads(bytes(text))
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, shape in header.pop("arrays"):
        kind = np.dtype(str(dtype))
        count = 1
        for length_ in shape:
            count *= int(length_)
        if kind.kind not in "biuf" or not 0 <= count * kind.itemsize <= MAX_FRAME_BYTES:
            raise ValueError(f"array {dtype} {shape}")
        values = np.empty(shape, kind)
        if count and not _fill(channel, memoryview(values.reshape(-1).data).cast("B")):
            return None
        arrays[str(name)] = values
    return header, arrays


def _fill(channel: socket.socket, target: memoryview) -> bool:
    """Fill the target; False if the other side closes before that."""
    done = 0
    while done < len(target):
        got = channel.recv_into(target[done:])
        if not got:
            return False
        done += got
    return True


def error_header(error: WaferwatchError) -> dict[str, Any]:
    """An error of ours as a header."""
    kind = next((name for name, known in _KINDS.items() if type(error) is known), "InputError")
    parts = error.complaint
    return {
        "error": {
            "kind": kind,
            "what": parts.what,
            "expected": parts.expected,
            "got": parts.got,
            "remedy": parts.remedy,
            "code": error.code,
        }
    }


def raise_error(error: Mapping[str, Any], where: str) -> None:
    """Raise again what the child raised, with the name that the child was not told.

    Raises:
        WaferwatchError: always.
    """
    kind = _KINDS.get(str(error.get("kind")), InputError)
    parts = {name: str(error.get(name, ""))[:500] for name in ("expected", "got", "remedy", "code")}
    raise kind(str(error.get("what", "cannot decode"))[:500], where=where, **parts)
