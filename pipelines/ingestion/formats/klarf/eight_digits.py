"""The value of up to eight characters of a number, read as one machine word, for many numbers at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


def _each_byte(value: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([value]) * 8))


_ZEROS, _DOTS, _ONES, _HIGHS = _each_byte(0x30), _each_byte(0x2E), _each_byte(1), _each_byte(0x80)
_UPPER, _LOWER, _SIXES = _each_byte(0xF0), _each_byte(0x0F), _each_byte(6)
_PAIRS, _HUNDREDS, _UNITS = np.uint64(0xFF000000FF), np.uint64(0x000F424000000064), np.uint64(0x0000271000000001)
_ONE, _SEVEN, _EIGHT, _TEN, _SIXTEEN, _HALF = (np.uint64(number) for number in (1, 7, 8, 10, 16, 32))
_ZERO_CHARACTER = np.uint64(0x30)

_ALL = (1 << 64) - 1
_KEEP = np.array([_ALL << (64 - 8 * n) & _ALL for n in range(9)], np.uint64)
"""Which bytes of a word belong to a number of n characters that ends with it."""
_FILL = ~_KEEP & _ZEROS


class Eight(NamedTuple):
    """Numbers of up to eight characters.

    Attributes:
        value: (N,) of the digits, the point left out.
        decimals: (N,) digits after the point; -1 = there is no point.
        sound: (N,) true where there was nothing but digits and at most one point; else the rest means nothing.
    """

    value: NDArray[np.uint64]
    decimals: NDArray[np.intp]
    sound: NDArray[np.bool_]


def eight_digits(word: NDArray[np.uint64], length: NDArray[np.int64]) -> Eight:
    """Numbers in the last `length` (0 to 8) characters of each word, whose first character is the lowest byte.

    `word` is used up. Operations are done in place: half of the time would go into new arrays.
    """
    word &= _KEEP[length]
    word |= _FILL[length]
    decimals = _squeeze_point(word)
    high = word + _SIXES  # turns what follows '9' into another upper half
    high &= _UPPER
    high ^= _ZEROS
    low = word & _UPPER
    low ^= _ZEROS
    high |= low
    sound = high == 0
    word &= _LOWER
    np.right_shift(word, _EIGHT, out=low)
    word *= _TEN
    word += low  # a byte of each pair now holds two digits
    np.right_shift(word, _SIXTEEN, out=low)
    word &= _PAIRS
    low &= _PAIRS
    word *= _HUNDREDS
    low *= _UNITS
    word += low
    word >>= _HALF
    return Eight(word, decimals, sound)


def _squeeze_point(word: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Take the first decimal point out of each word, in place; how many characters stood behind it, or -1.

    Tools print a column with one format, so the point is mostly at one place in all words.
    """
    found = word ^ _DOTS
    marks = found - _ONES
    marks &= ~found
    marks &= _HIGHS  # the lowest set bit marks the first point; higher ones may be false
    if not marks.any():
        return np.broadcast_to(np.intp(-1), word.shape)
    first = marks & (~marks + _ONE)
    if (first == first[0]).all():
        unit = int(first[0]) >> 7
        below, through = np.uint64(unit - 1), np.uint64(((unit << 8) - 1) & _ALL)
        moved = word & below
        moved <<= _EIGHT
        word &= ~through
        word |= moved
        word |= _ZERO_CHARACTER
        return np.broadcast_to(np.intp(7 - ((unit - 1).bit_count() >> 3)), word.shape)
    has = (first != 0).astype(np.uint64)
    units = first >> _SEVEN
    belows = units - has
    throughs = (units << _EIGHT) - has
    word[:] = (word & ~throughs) | ((word & belows) << _EIGHT) | (has * _ZERO_CHARACTER)
    return np.where(first != 0, 7 - (np.bitwise_count(belows) >> 3).astype(np.intp), -1)
