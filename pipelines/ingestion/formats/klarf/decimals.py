"""Decimal numbers, a whole column at once: eight characters in one machine word, in plain numpy.

The text of a number is loaded as one or two 64-bit words, the decimal point is squeezed out, and three multiplications
turn eight digits into their value (Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience
51(8), 2021, section 3, describes the trick for one number). Results are the correctly rounded doubles that Python's
`float` gives: a mantissa below 2^53 times or over a power of ten up to 10^22 rounds once (Clinger, "How to read
floating point numbers accurately", PLDI 1990). What does not fit this is left to Python, number by number.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.eight_digits import eight_digits
from pipelines.ingestion.formats.klarf.text import Tokens

_LONGEST = 16
_POWERS = np.array([10.0**n for n in range(23)])
_EXACT = 1 << 53
_MINUS, _PLUS, _ZERO, _E = b"-+0e"
_LOWER_CASE = 0x20

_NUMBER = re.compile(rb"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?+")
_MISSING = frozenset((b"NA", b"N/A", b"NAN", b"-NAN", b"NULL"))


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """What the tokens of a column are worth.

    Attributes:
        values: (N,) whole numbers of any width, or float64 with NaN where a value is missing or not a number.
        bad: indices of the tokens that are neither a number nor missing.
    """

    values: NDArray[Any]
    bad: NDArray[np.int64]


def parse_numbers(tokens: Tokens, *, spelled: bool = False) -> Numbers:
    """Read the numbers of a column.

    Args:
        tokens: N of them.
        spelled: take only numbers whose spelling can be found again or does not matter: no leading zeros or plus
            sign on whole numbers, no exponent without a point. `007` and `12E4` are more likely names.
    """
    none = np.empty(0, np.int64)
    if tokens.longest <= 1:
        digits = tokens.text.characters[tokens.start] - np.uint8(_ZERO)
        if len(tokens) == 0 or digits.max() <= 9:
            return Numbers(digits, none)
    first, second = _without_exponent, _with_exponent
    if b"e" in tokens.spelling(0).lower():
        first, second = second, first
    values, sound = first(tokens, spelled)
    odd = np.flatnonzero(~sound)
    if len(odd):
        others, sound = second(tokens.pick(odd), spelled)
        values = values.astype(np.promote_types(values.dtype, others[sound].dtype) if sound.any() else values.dtype)
        values[odd[sound]] = others[sound]
        odd = odd[~sound]
    return _one_by_one(tokens, values, odd, spelled) if len(odd) else Numbers(values, none)


@dataclass(frozen=True, slots=True, eq=False)
class _Plain:
    """± whole / 10^decimals, where `sound`; decimals -1 = no point."""

    whole: NDArray[np.uint64]
    decimals: NDArray[np.intp]
    negative: NDArray[np.bool_]
    sound: NDArray[np.bool_]

    def values(self) -> NDArray[Any]:
        """As whole numbers, or as doubles if any has a point."""
        if self.decimals.max() < 0:
            whole = self.whole.view(np.int64)
            return np.where(self.negative, -whole, whole) if self.negative.any() else whole
        same = self.decimals[0] == self.decimals.max() == self.decimals.min()
        scale = _POWERS[self.decimals[0]] if same else _POWERS[np.maximum(self.decimals, 0)]
        values: NDArray[np.float64] = self.whole / scale
        return np.negative(values, out=values, where=self.negative)


def _plain(tokens: Tokens) -> _Plain:
    words, end = tokens.text.words, tokens.end
    first = tokens.text.characters[tokens.start]
    negative = first == _MINUS
    digits = end - tokens.start - (negative | (first == _PLUS))
    is_long = digits.max() > 8
    whole, decimals, sound = eight_digits(words[end - 8], np.minimum(digits, 8) if is_long else digits)
    dotted = decimals >= 0
    if is_long:
        high, high_decimals, high_sound = eight_digits(words[end - 16], np.clip(digits - 8, 0, 8))
        high *= np.where(dotted, np.uint64(10**7), np.uint64(10**8))
        whole += high
        sound &= high_sound & (digits <= _LONGEST)
        if high_decimals.max() >= 0:
            in_high = high_decimals >= 0
            sound &= ~(dotted & in_high)
            decimals = np.where(in_high, high_decimals + 8, decimals)
            dotted |= in_high
    sound &= digits > dotted
    return _Plain(whole, decimals, negative, sound)


def _without_exponent(tokens: Tokens, spelled: bool) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    plain = _plain(tokens)
    sound = plain.sound
    if spelled:
        characters = tokens.text.characters
        leading = characters[tokens.start + plain.negative] == _ZERO
        sound = sound & ~((plain.decimals < 0) & leading & (tokens.end - tokens.start > 1))
        sound &= ~((plain.decimals < 0) & (characters[tokens.start] == _PLUS))
    return plain.values(), sound


def _exponent_mark(tokens: Tokens) -> NDArray[np.int64]:
    """(N,) where the e of each number is, or 0."""
    mark = np.zeros_like(tokens.end)
    for back in (4, 5, 3, 2):  # e+03, e+003, E+3 or E10, E3
        place = tokens.end - back
        is_mark = ((tokens.text.characters[place] | _LOWER_CASE) == _E) & (place > tokens.start)
        if is_mark.all():
            return place
        mark[is_mark] = place[is_mark]
    return mark


def _with_exponent(tokens: Tokens, spelled: bool) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values of numbers such as 2.39488e+03 or 1.5E3, and which of them are correct to the last bit."""
    text, start, end = tokens.text, tokens.start, tokens.end
    mark = _exponent_mark(tokens)
    sound = mark > 0
    mark = np.where(sound, mark, start + 1)
    mantissa = _plain(Tokens(text, start, mark))
    exponent = _plain(Tokens(text, np.minimum(mark + 1, end - 1), end))
    sound &= mantissa.sound & exponent.sound & (exponent.decimals < 0) & (mantissa.whole < _EXACT)
    if spelled:
        sound &= mantissa.decimals >= 0
    power = exponent.whole.astype(np.int64)
    np.negative(power, out=power, where=exponent.negative)
    power -= np.maximum(mantissa.decimals, 0)
    size = np.abs(power)
    sound &= size < len(_POWERS)
    scale = _POWERS[np.minimum(size, len(_POWERS) - 1)]
    values = mantissa.whole.astype(np.float64)
    values = np.where(power < 0, values / scale, values * scale)
    return np.negative(values, out=values, where=mantissa.negative), sound


def _one_by_one(tokens: Tokens, values: NDArray[Any], odd: NDArray[np.int64], spelled: bool) -> Numbers:
    """Fill in very long numbers and missing values."""
    found = [_by_python(tokens.spelling(index), spelled) for index in odd.tolist()]
    bad = [index for index, number in zip(odd.tolist(), found, strict=True) if number is None]
    if values.dtype.kind != "f" and all(isinstance(number, int) for number in found):
        values = values.copy()
        values[odd] = found
    else:
        values = values.astype(np.float64)
        values[odd] = [np.nan if number is None else float(number) for number in found]
    return Numbers(values, np.array(bad, np.int64))


def _by_python(token: bytes, spelled: bool) -> float | int | None:
    """One number, NaN for a missing value, None for anything else."""
    if token.upper() in _MISSING:
        return np.nan
    if not _NUMBER.fullmatch(token):
        return None
    if token.lstrip(b"+-").isdigit():
        whole = int(token) if len(token) <= 20 else 1 << 64
        if spelled and str(whole).encode() != token:
            return None
        return whole if -(1 << 63) <= whole < 1 << 63 else None
    if spelled and b"." not in token:
        return None
    value = float(token)
    return value if np.isfinite(value) else None
