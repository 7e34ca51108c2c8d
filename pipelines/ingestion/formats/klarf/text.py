"""A stretch of a file as bytes in numpy, and the tokens in it: where they start and end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING = 16
"""Blanks in front of a text, so that two machine words can end at any of its characters."""

_BLANK = np.uint8(0x20)
_SHIFT_OUT = np.uint8(0x0E)
_WORD = np.dtype("<u8")


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """Bytes of a file, `PADDING` blanks in front and one behind.

    Attributes:
        characters: (N,) uint8.
        words: (N - 7,) unsigned 64-bit, the eight bytes from each place on, first byte lowest; overlapping views.
    """

    characters: NDArray[np.uint8]
    words: NDArray[np.uint64]

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> "Text":
        """Copy the data between its blanks."""
        buffer = np.full(PADDING + len(data) + 1, _BLANK, np.uint8)
        buffer[PADDING:-1] = np.frombuffer(data, np.uint8)
        return cls(buffer, np.ndarray((len(buffer) - 7,), _WORD, buffer=buffer, strides=(1,)))

    @property
    def has_controls(self) -> bool:
        """True if there are control characters other than blanks."""
        return bool(self.characters.min() < ord("\t") or ((self.characters - _SHIFT_OUT) < _BLANK - _SHIFT_OUT).any())

    def parted(self, mark: bytes = b" ") -> NDArray[np.int64]:
        """(T, 2) start and end of the runs of characters between blanks and `mark`; control characters are blanks."""
        blank = self.characters <= _BLANK
        if mark != b" ":
            blank |= self.characters == ord(mark)
        edges = np.flatnonzero(blank[1:] != blank[:-1])
        edges += 1
        return edges.reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """N tokens of a text, such as the cells of a column.

    Attributes:
        text: that holds them.
        start: (N,) their first characters.
        end: (N,) one past their last characters; every token has at least one.
    """

    text: Text
    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.start)

    @property
    def longest(self) -> int:
        """Characters of the longest one."""
        return int((self.end - self.start).max(initial=0))

    def pick(self, which: NDArray[np.int64] | slice) -> "Tokens":
        """Some of them."""
        return Tokens(self.text, self.start[which], self.end[which])

    def spelling(self, index: int) -> bytes:
        """The characters of one of them."""
        return self.text.characters[self.start[index] : self.end[index]].tobytes()
