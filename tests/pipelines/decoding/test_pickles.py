"""A pickle is a program, and none of it is run."""

import io
import os
import pickle
from typing import Any

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.decoding.pickles import Stand, load_columns


class Calls:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def named(module: str, name: str, argument: str = "touch /tmp/owned") -> bytes:
    """Protocol 2: call module.name(argument)."""
    call = f"c{module}\n{name}\n".encode()
    return b"\x80\x02" + call + b"X" + len(argument).to_bytes(4, "little") + argument.encode() + b"\x85R."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("subprocess", "Popen"),
        ("numpy", "load"),
        ("numpy", "save"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.core.multiarray", "fromfile"),
        ("pandas.io.common.os", "system.x"),
        ("pyarrow.lib", "memory_map"),
        ("functools", "partial"),
        ("_codecs", "decode"),
        ("copyreg", "__newobj__"),
    ],
)
def test_names_that_no_table_needs_are_refused(module: str, name: str) -> None:
    with pytest.raises(UnsafeInputError) as caught:
        load_columns(io.BytesIO(named(module, name)))
    assert caught.value.code == "unsafe-pickle"
    assert name in str(caught.value)


def test_functions_of_pandas_are_not_called() -> None:
    raw = named("pandas", "read_pickle", "/etc/passwd")
    with pytest.raises(InputError, match="no pandas table"):
        load_columns(io.BytesIO(raw))
    assert type(pickle.loads(b"\x80\x02N.")) is type(None)
    assert Stand("a").arguments == ("a",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_real_attack_does_nothing(protocol: int, tmp_path: Any) -> None:
    mark = tmp_path / "owned"
    raw = pickle.dumps({"waferMap": Calls(os.system, f"touch {mark}")}, protocol)
    with pytest.raises(UnsafeInputError):
        load_columns(io.BytesIO(raw))
    assert not mark.exists()


def test_persistent_and_extension_codes_are_refused() -> None:
    for raw in (b"\x80\x02X\x01\x00\x00\x00aQ.", b"\x80\x02\x82\x01."):
        with pytest.raises(InputError):
            load_columns(io.BytesIO(raw))


def test_arrays_of_pointers_are_refused() -> None:
    raw = pickle.dumps(Calls(np._core.numeric._frombuffer, b"\0" * 8, np.dtype(object), (1,), "C"), 4)
    with pytest.raises(UnsafeInputError, match="pointers"):
        load_columns(io.BytesIO(raw))


@pytest.mark.parametrize("value", [1, "text", [1, 2], {"a": 1}, np.arange(3)])
def test_other_data_is_no_table(value: Any) -> None:
    with pytest.raises(InputError):
        load_columns(io.BytesIO(pickle.dumps(value, 2)))


def test_a_pickle_that_ends_early_is_tried_again() -> None:
    whole = pickle.dumps({"a": np.arange(100)}, 2)
    for length in (2, 20, len(whole) - 1):
        with pytest.raises(RetryableError):
            load_columns(io.BytesIO(whole[:length]))
