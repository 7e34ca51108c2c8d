"""The bytes of a file, block by block, and where in the file they stand."""

from collections.abc import Callable
from typing import BinaryIO

from models.domain.errors import RetryableError, UnsafeInputError
from pipelines.ingestion.formats.klarf.limits import KlarfLimits
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.text import PADDING


class Source:
    """A window over a stream: `data[position:]` is what was read and not yet used.

    Attributes:
        data: bytes in memory; places below are indices into it and change with `more`.
        position: first byte not yet used.
        line: line number of that byte, from 1.
        problems: where to complain.
        limits: bounds.
    """

    def __init__(self, stream: BinaryIO, problems: Problems, limits: KlarfLimits, size: int | None = None) -> None:
        self._stream = stream
        self._size = size
        self._read = 0
        self._line_begins = 0
        self._header = 0
        self._zeros = 0
        self.data = b""
        self.position = 0
        self.line = 1
        self.problems = problems
        self.limits = limits

    @property
    def bytes_left(self) -> int | None:
        """Bytes of the file that are not used up; None = its size is not known."""
        return None if self._size is None else max(0, self._size - self._offset(self.position))

    def more(self) -> bool:
        """Read another block behind the data; false at the end of the file.

        Raises:
            UnsafeInputError: the file is larger than the limit.
        """
        waiting = len(self.data) - self.position
        # as much again as still waits: otherwise a long part would be searched again for every block
        block = self._block(max(self.limits.block_bytes, waiting))
        if not block:
            return False
        self.data = self.data[self.position :] + block if waiting else block
        self.position = 0
        return True

    def _block(self, size: int) -> bytes:
        """The next block without zeros at its end; b"" at the end of the file.

        Copies over some networks have their full length at once, and zeros where nothing was written yet: zeros at the
        end of the file are as good as nothing.
        """
        while block := self._stream.read(size):
            self._read += len(block)
            if self._read > self.limits.file_bytes:
                raise UnsafeInputError(
                    "file is too large", where=self.problems.name, expected=f"at most {self.limits.file_bytes} bytes"
                )
            kept = block.rstrip(b"\0")
            if kept:
                if self._zeros > self.limits.row_bytes:
                    raise self.too_long("a hole of zero bytes", self.limits.row_bytes)
                kept = b"\0" * self._zeros + kept
                self._zeros = 0
            self._zeros += len(block) - len(block.rstrip(b"\0"))
            if kept:
                return kept
        return b""

    def fill(self, count: int) -> None:
        """Read until at least so many bytes wait, or the file ends."""
        while len(self.data) - self.position < count and self.more():
            pass

    def advance(self, to: int) -> None:
        """Use up the data before `to`."""
        newlines = self.data.count(b"\n", self.position, to)
        if newlines:
            self.line += newlines
            self._line_begins = self._offset(self.data.rfind(b"\n", self.position, to) + 1)
        self.position = to

    def place(self, at: int | None = None) -> tuple[int, int]:
        """Line and column, from 1, of a byte that is not used up; None = the next one."""
        at = self.position if at is None else at
        newlines = self.data.count(b"\n", self.position, at)
        begins = self._offset(self.data.rfind(b"\n", self.position, at) + 1) if newlines else self._line_begins
        return self.line + newlines, self._offset(at) - begins + 1

    def locator(self, first: int) -> Callable[[int], tuple[int, int]]:
        """What tells line and column of a character of a text that begins at this place of the data."""
        return lambda character: self.place(first + character - PADDING)

    def take_header(self, count: int) -> None:
        """Count bytes that are kept as text.

        Raises:
            UnsafeInputError: too many.
        """
        self._header += count
        if self._header > self.limits.header_bytes:
            raise self.too_long("the file apart from its defects", self.limits.header_bytes)

    def truncated(self, what: str) -> RetryableError:
        """The complaint that the file ends too early: whoever writes it may not be done."""
        line, column = self.place(len(self.data))
        return RetryableError(
            f"file ends inside {what}",
            where=self.problems.place(line, column),
            expected="EndOfFile;",
            got="the end of the file",
            remedy="try again when it is written completely; if it stays so, copy it anew",
            code="truncated",
        )

    def too_long(self, what: str, limit: int) -> UnsafeInputError:
        """The complaint that something does not end within its limit."""
        return UnsafeInputError(
            f"{what} is too long", where=self.problems.place(*self.place()), expected=f"at most {limit} bytes"
        )

    def too_many(self, what: str, limit: int) -> UnsafeInputError:
        """The complaint that there are more of something than the limit."""
        return UnsafeInputError(
            f"too many {what}", where=self.problems.place(*self.place()), expected=f"at most {limit}"
        )

    def _offset(self, at: int) -> int:
        return self._read - self._zeros - len(self.data) + at
