"""Reading the flat dialect: statement after statement, defect lists straight into columns."""

import re
from dataclasses import dataclass, field

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.bodies import read_body
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows, Part, Statement
from pipelines.ingestion.formats.klarf.ending import read_end
from pipelines.ingestion.formats.klarf.flat_rows import read_flat_rows
from pipelines.ingestion.formats.klarf.record_spec import layout_of
from pipelines.ingestion.formats.klarf.single_row import take_single_row
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Budget, TableBuilder
from pipelines.ingestion.formats.klarf.words import BLANKS

_BLANKS = BLANKS.encode()
_SPACE = re.compile(rb"[" + _BLANKS + rb"]*+")
_KEYWORD = re.compile(rb'[^"; ' + _BLANKS + rb"]++")
_SENSIBLE = re.compile(rb"[A-Za-z_][A-Za-z0-9_.\-]*+")


@dataclass(slots=True)
class FlatReader:
    """Reads one file of the flat dialect.

    Attributes:
        source: stands at its first statement.
        parts: read so far.
        tables: finished so far.
    """

    source: Source
    parts: list[Part] = field(default_factory=list)
    tables: list[Defects] = field(default_factory=list)
    _layout: tuple[ColumnType, ...] = ()
    _table: TableBuilder | None = None
    _image_file: str = ""

    def read(self) -> tuple[tuple[Part, ...], tuple[Defects, ...]]:
        """The parts and tables of the whole file, `EndOfFile` left out.

        Raises:
            InputError: in strict mode, anything is wrong.
            RetryableError: the file has no `EndOfFile`.
            UnsafeInputError: a limit is broken.
        """
        source = self.source
        budget = Budget(source.limits, source.problems.name)
        while (keyword := self._keyword()) is not None:
            if len(self.parts) >= source.limits.parts:
                raise source.too_many("statements", source.limits.parts)
            match keyword.upper():
                case "ENDOFFILE":
                    read_end(source)
                    break
                case "DEFECTLIST":
                    self._defect_list(budget)
                case _:
                    self._statement(keyword)
        else:
            raise source.truncated("the list of statements")
        self._close_table()
        return tuple(self.parts), tuple(self.tables)

    def _keyword(self) -> str | None:
        """The next keyword, used up; None at the end of the file."""
        source = self.source
        while True:
            blank = _SPACE.match(source.data, source.position)
            assert blank is not None
            source.advance(blank.end())
            if source.data[source.position : source.position + 1] == b";":
                source.problems.warn("stray-semicolon", "a semicolon ends nothing", source.line)
                source.advance(source.position + 1)
                continue
            word = _KEYWORD.match(source.data, source.position)
            at_end = source.position == len(source.data) if word is None else word.end() == len(source.data)
            if word is not None and len(word.group()) > source.limits.word_bytes:
                raise source.too_long("a keyword", source.limits.word_bytes)
            if at_end and source.more():
                continue
            if word is None and at_end:
                return None
            return self._checked(b"" if word is None else word.group())

    def _checked(self, word: bytes) -> str:
        source = self.source
        if not _SENSIBLE.fullmatch(word):
            line, column = source.place()
            got = word or source.data[source.position : source.position + 20]
            source.problems.wrong(
                "no-keyword",
                "a statement does not begin with a keyword",
                line=line,
                column=column,
                expected="a word",
                got=repr(got[:20].decode("latin-1")),
                remedy="look for a semicolon too many before it",
            )
        source.advance(source.position + len(word))
        return word.decode("latin-1")

    def _statement(self, keyword: str) -> None:
        line = self.source.line
        text = read_body(self.source, b";", f"statement {keyword}")
        self.source.advance(self.source.position + 1)
        statement = Statement(keyword, text, line)
        self.parts.append(statement)
        match keyword.upper():
            case "WAFERID" | "LOTID":
                self._close_table()
            case "DEFECTRECORDSPEC":
                layout = layout_of(statement, self.source.problems)
                if len(layout) > self.source.limits.columns:
                    raise self.source.too_many("columns", self.source.limits.columns)
                if layout != self._layout:
                    self._close_table()
                self._layout = layout
            case "TIFFFILENAME":
                self._image_file = " ".join(statement.values)

    def _defect_list(self, budget: Budget) -> None:
        source = self.source
        line = source.line
        if not self._layout:
            raise InputError(
                "defects without columns",
                where=source.problems.place(*source.place()),
                expected="a DefectRecordSpec before the DefectList",
                code="no-columns",
            )
        if self._table is None:
            self._table = TableBuilder(self._layout, source.problems, budget)
        before = self._table.rows
        if not take_single_row(source, self._table, self._image_file):
            read_flat_rows(source, self._table, self._image_file)
        self.parts.append(DefectRows(len(self.tables), before, self._table.rows, line))

    def _close_table(self) -> None:
        if self._table is not None:
            self.tables.append(self._table.finish())
            self._table = None
