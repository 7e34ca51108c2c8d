"""A defect table that grows while its rows are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import UnsafeInputError
from pipelines.ingestion.formats.klarf.columns import is_image_column
from pipelines.ingestion.formats.klarf.defects import Defects, Images
from pipelines.ingestion.formats.klarf.document import ColumnType
from pipelines.ingestion.formats.klarf.growing import GrowingColumn
from pipelines.ingestion.formats.klarf.limits import KlarfLimits
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.text import PADDING, Text, Tokens


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """R rows of a text, and where their plain cells are.

    Attributes:
        text: that holds them.
        cells: (R, C, 2) start and end of each cell, quotes taken off; C counts all columns but images.
        quoted: (R, C) which cells stood in quotes; None = none.
        place: line and column in the file of a character of the text.
        bytes_left: of the file behind these rows; None = not known.
    """

    text: Text
    cells: NDArray[np.int64]
    quoted: NDArray[np.bool_] | None
    place: Callable[[int], tuple[int, int]]
    bytes_left: int | None = None

    @property
    def left(self) -> int:
        """How many more rows like these the rest of the file can hold; 0 = its size is not known."""
        if not len(self.cells) or self.bytes_left is None:
            return 0
        bytes_here = int(self.cells[-1, -1, 1] - self.cells[0, 0, 0]) + 1
        return len(self.cells) * self.bytes_left // bytes_here


_SINGLE_ROWS = 1 << 12


class _SingleRow(NamedTuple):
    cells: Sequence[bytes]
    images: Sequence[tuple[int, int]]
    file: str
    line: int


class TableBuilder:
    """Collects rows of one layout.

    Attributes:
        layout: the columns, the image column included.
        image_at: place of the image column among them; None = there is none.
    """

    def __init__(self, layout: tuple[ColumnType, ...], problems: Problems, budget: "Budget") -> None:
        self.layout = layout
        self.image_at = next((place for place, column in enumerate(layout) if is_image_column(column)), None)
        self._columns = [GrowingColumn(column) for column in layout if not is_image_column(column)]
        self._images: list[Images] = []
        self._added = 0
        self._single: list[_SingleRow] = []
        self._problems = problems
        self._budget = budget

    @property
    def rows(self) -> int:
        """Rows so far."""
        return self._added + len(self._single)

    @property
    def width(self) -> int:
        """Number of plain columns."""
        return len(self._columns)

    def plain_place(self, name: str) -> int | None:
        """Place of a column among the plain ones; None = there is no such column."""
        return next((place for place, each in enumerate(self._columns) if each.column.name == name), None)

    def add_single(self, cells: Sequence[bytes], images: Sequence[tuple[int, int]], file: str, line: int) -> None:
        """Append one row whose cells are not empty and were not quoted.

        Arrays are built from many such rows at once: some files have a list of its own for each defect, and a row by
        itself costs as much as thousands.

        Args:
            cells: of the plain columns.
            images: page and kind of each.
            file: that the images are in.
            line: in the file.
        """
        self._single.append(_SingleRow(cells, images, file, line))
        if len(self._single) >= _SINGLE_ROWS:
            self._add_single_rows()

    def _add_single_rows(self) -> None:
        rows, self._single = self._single, []
        if not rows:
            return
        words = [cell for row in rows for cell in row.cells]
        ends = np.cumsum(np.array([len(word) for word in words]) + 1) - 1 + PADDING
        starts = np.concatenate([[PADDING], ends[:-1] + 1])
        cells = np.stack([starts, ends], axis=1).reshape(len(rows), self.width, 2)
        begins = cells[:, 0, 0]

        def place(character: int) -> tuple[int, int]:
            return rows[int(np.searchsorted(begins, character, side="right")) - 1].line, 0

        first_row = self._added
        self._add(Rows(Text.of(b" ".join(words)), cells, None, place))
        found = [(ordinal, *image, row.file) for ordinal, row in enumerate(rows, first_row) for image in row.images]
        if found:
            row, page, kind, file = zip(*found, strict=True)
            strings = np.dtypes.StringDType()
            self._add_images(
                Images(
                    row=np.array(row, np.int32),
                    page=np.array(page, np.int32),
                    kind=np.array(kind, np.int32).astype(strings),
                    file=np.array(file, strings),
                    format=np.full(len(row), "", strings),
                )
            )

    def add(self, rows: Rows) -> None:
        """Append rows.

        Raises:
            InputError: in strict mode, a cell in a column of numbers is neither a number nor NA.
            UnsafeInputError: the file has more defects, or a cell more bytes, than the limit.
        """
        self._add_single_rows()
        self._add(rows)

    def _add(self, rows: Rows) -> None:
        count = len(rows.cells)
        if not count:
            return
        self._budget.take_defects(count)
        left = min(rows.left, self._budget.limits.defects)
        columns = np.ascontiguousarray(rows.cells.transpose(1, 2, 0))  # each is passed over a dozen times
        for place, column in enumerate(self._columns):
            tokens = Tokens(rows.text, columns[place, 0], columns[place, 1])
            if tokens.longest > self._budget.limits.word_bytes:
                raise UnsafeInputError(
                    "a value of a defect is too long",
                    where=self._problems.place(*rows.place(int(tokens.start[0]))),
                    expected=f"at most {self._budget.limits.word_bytes} bytes",
                )
            quoted = None if rows.quoted is None else rows.quoted[:, place]
            bad = column.add(tokens, quoted, left)
            self._complain(rows, column.column.name, tokens, bad)
        self._added += count

    def _complain(self, rows: Rows, name: str, tokens: Tokens, bad: NDArray[np.int64]) -> None:
        room = self._problems.room
        for index in bad[:room].tolist():
            line, at = rows.place(int(tokens.start[index]))
            self._problems.wrong(
                "bad-number",
                f"{name} of defect row {self._added + index + 1} is no number",
                line=line,
                column=at,
                expected="a number or NA",
                got=repr(tokens.spelling(index)[:40].decode("latin-1")),
                remedy="lenient mode counts it as missing",
            )
        self._problems.unkept += max(0, len(bad) - room)

    def add_images(self, images: Images) -> None:
        """Append references; their rows count from the start of the table, and come after those added before.

        Raises:
            UnsafeInputError: the file has more images than the limit.
        """
        self._add_single_rows()
        self._add_images(images)

    def _add_images(self, images: Images) -> None:
        self._budget.take_images(len(images))
        if len(images):
            self._images.append(images)

    def finish(self) -> Defects:
        """The table; add nothing afterwards."""
        self._add_single_rows()
        columns: dict[str, NDArray[Any]] = {}
        for each in self._columns:
            if each.inexact:
                self._problems.wrong(
                    "inexact-number",
                    f"numbers in {each.column.name} are too large to stand beside missing ones",
                    expected="whole numbers below 2^53 in a column with NA",
                )
            columns[each.column.name] = each.finish()
        return Defects(self.layout, columns, Images.joined(self._images))


@dataclass(slots=True)
class Budget:
    """What of the limits the file has used."""

    limits: KlarfLimits
    name: str
    defects: int = 0
    images: int = 0

    def take_defects(self, count: int) -> None:
        """Count defects.

        Raises:
            UnsafeInputError: too many.
        """
        self.defects += count
        self._check("defects", self.defects, self.limits.defects)

    def take_images(self, count: int) -> None:
        """Count references to pictures.

        Raises:
            UnsafeInputError: too many.
        """
        self.images += count
        self._check("image references", self.images, self.limits.images)

    def _check(self, what: str, used: int, limit: int) -> None:
        if used > limit:
            raise UnsafeInputError(
                f"too many {what}",
                where=self.name,
                expected=f"at most {limit}",
                remedy="raise the limit if this is meant",
            )
