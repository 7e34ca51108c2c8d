"""Numbers are exactly those of Python's `float` and `int`, whatever stands around them."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingestion.formats.klarf.decimals import Numbers, parse_numbers
from pipelines.ingestion.formats.klarf.text import PADDING, Text, Tokens


def parse(words: list[str], *, spelled: bool = False) -> Numbers:
    encoded = [word.encode("latin-1") for word in words]
    end = np.cumsum([len(word) + 1 for word in encoded]) - 1 + PADDING
    start = end - [len(word) for word in encoded]
    return parse_numbers(Tokens(Text.of(b" ".join(encoded)), start, end), spelled=spelled)


def same(value: float, word: str) -> bool:
    expected = float(word)
    return value == expected and math.copysign(1, value) == math.copysign(1, expected)


DECIMALS = st.from_regex(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(st.lists(DECIMALS.filter(lambda word: abs(float(word)) < 1e300), min_size=1, max_size=30))
def test_every_decimal_is_the_double_that_python_reads(words: list[str]) -> None:
    numbers = parse([*words, "0.5"])
    lost = [word for index, word in enumerate(words) if index in numbers.bad]
    assert all(len(word.lstrip("+-")) > 18 and word.lstrip("+-").isdigit() for word in lost), lost
    for index, word in enumerate(words):
        if word not in lost:
            assert same(numbers.values[index], word) or (word in {"-0", "-00"} and numbers.values[index] == 0), word


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_every_double_comes_back_from_its_shortest_spelling(values: list[float]) -> None:
    numbers = parse([repr(value) for value in values])
    assert not len(numbers.bad)
    np.testing.assert_array_equal(numbers.values, values)
    np.testing.assert_array_equal(np.signbit(numbers.values), np.signbit(values))


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=50))
def test_whole_numbers_of_64_bits_are_exact(values: list[int]) -> None:
    numbers = parse([str(value) for value in values])
    assert not len(numbers.bad)
    assert numbers.values.dtype.kind in "iu"
    assert numbers.values.tolist() == values


@pytest.mark.parametrize("form", ["{:.3f}", "{:.10e}", "{:.7f}", "{:.0f}", "{:.1f}", "{:.2E}"])
def test_columns_as_tools_print_them(form: str) -> None:
    random.seed(1)
    words = [form.format(random.uniform(-99999, 99999)) for _ in range(3000)]
    numbers = parse(words)
    assert not len(numbers.bad)
    assert all(same(value, word) for value, word in zip(numbers.values.tolist(), words, strict=True))


def test_exponents_of_three_digits() -> None:
    assert parse(["1.1110100000e+010", "7.5e-004", "1E+003"]).values.tolist() == [1.11101e10, 7.5e-4, 1000.0]


NO_NUMBERS = [
    *["-", "+", ".", "-.", "1.2.3", "1..2", "abc", "1e", "e5", "1e+", "--1", "1-", "1_0", "0x10", "1/2", "1:2", "²"],
    *[
        "12345678.1234.678",
        "1e999",
        "-1e999",
        "inf",
        "1e5.0",
        "1e-",
        "E12",
        ".e5",
        "12345678901234567890",
        "1d5",
        "1,5",
    ],
]


@pytest.mark.parametrize("word", NO_NUMBERS)
@pytest.mark.parametrize("others", [[], ["1"] * 5, ["1.5"] * 5, ["1.5e+03"] * 5])
def test_what_is_no_number_is_said_to_be_none(word: str, others: list[str]) -> None:
    numbers = parse([*others, word, *others])
    assert numbers.bad.tolist() == [len(others)]


@pytest.mark.parametrize("word", ["NA", "na", "NaN", "nan", "N/A", "NULL"])
def test_missing_values_are_nan(word: str) -> None:
    numbers = parse(["3", word, "4"])
    assert not len(numbers.bad)
    np.testing.assert_array_equal(numbers.values, [3, np.nan, 4])


@pytest.mark.parametrize(
    ("word", "is_number"),
    [
        *[
            ("007", False),
            ("-0", False),
            ("12E4", False),
            ("+5", False),
            ("0012345678901234567", False),
            ("1e-5", False),
        ],
        *[("0", True), ("10", True), ("-7", True), ("0.5", True), ("1.0", True), ("1.5E3", True), ("00.5", True)],
        *[("12345678901234567", True), ("+0.5", True), ("1.2345678901234567e-5", True)],
    ],
)
def test_spelled_numbers_leave_out_what_is_more_likely_a_name(word: str, is_number: bool) -> None:
    numbers = parse([word, "33"], spelled=True)
    assert (0 not in numbers.bad) == is_number


def test_no_tokens_are_no_numbers() -> None:
    nothing = np.empty(0, np.int64)
    assert len(parse_numbers(Tokens(Text.of(b""), nothing, nothing)).values) == 0
