"""Reading the nested dialect: records in records, fields, lists; defect lists straight into columns."""

from dataclasses import dataclass, field

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.bodies import read_body
from pipelines.ingestion.formats.klarf.columns import is_image_column
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows, Field, Listing, Part, Record
from pipelines.ingestion.formats.klarf.ending import read_end
from pipelines.ingestion.formats.klarf.nested_rows import read_nested_rows
from pipelines.ingestion.formats.klarf.nested_words import NestedWords
from pipelines.ingestion.formats.klarf.record_spec import numbered
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Budget, TableBuilder
from pipelines.ingestion.formats.klarf.words import BLANKS, capitals, nested_rows, nested_words, whole


@dataclass(slots=True)
class _Open:
    """A record whose closing brace is still to come."""

    name: str
    label: str | None
    line: int
    parts: list[Part] = field(default_factory=list)


class NestedReader:
    """Reads one file of the nested dialect."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._words = NestedWords(source)
        self._budget = Budget(source.limits, source.problems.name)
        self._tables: list[Defects] = []
        self._count = 0

    def read(self) -> tuple[tuple[Part, ...], tuple[Defects, ...]]:
        """The records and tables of the whole file, `EndOfFile` left out.

        Raises:
            InputError: in strict mode, anything is wrong.
            RetryableError: the file has no `EndOfFile`.
            UnsafeInputError: a limit is broken.
        """
        source = self._source
        stack = [_Open("", None, 0)]
        while True:
            word = self._words.take("the list of records")
            line = source.line
            inside = len(stack) > 1
            match word.upper():
                case "RECORD":
                    self._check_room(len(stack))
                    stack.append(self._open(line))
                case "}" if inside:
                    self._close_record(stack)
                case "FIELD" if inside:
                    self._check_room(0)
                    stack[-1].parts.append(self._field(line))
                case "LIST" if inside:
                    self._check_room(0)
                    stack[-1].parts.append(self._list(line))
                case "ENDOFFILE":
                    break
                case ";":
                    source.problems.warn("stray-semicolon", "a semicolon ends nothing", line)
                case _:
                    what = "Record, Field, List or '}'" if inside else "Record or EndOfFile"
                    raise self._words.unexpected("something unknown among the records", what, word)
        while len(stack) > 1:
            source.problems.wrong(
                "open-record",
                f"record {stack[-1].name} is not closed",
                line=stack[-1].line,
                expected="'}' before EndOfFile",
            )
            self._close_record(stack)
        read_end(source)
        return tuple(stack[0].parts), tuple(self._tables)

    def _check_room(self, depth: int) -> None:
        self._count += 1
        if self._count > self._source.limits.parts:
            raise self._source.too_many("parts", self._source.limits.parts)
        if depth > self._source.limits.nesting:
            raise self._source.too_many("records in each other", self._source.limits.nesting)

    @staticmethod
    def _close_record(stack: list[_Open]) -> None:
        done = stack.pop()
        stack[-1].parts.append(Record(done.name, done.label, tuple(done.parts), done.line))

    def _open(self, line: int) -> _Open:
        name = self._words.name("a record")
        return _Open(name, self._words.label(f"record {name}"), line)

    def _field(self, line: int) -> Field:
        name = self._words.name("a field")
        declared = self._words.count(f"field {name}")
        part = Field(name, self._body(f"field {name}"), line)
        self._compare(f"field {name}", "values", declared, len(part.values), line)
        return part

    def _list(self, line: int) -> Part:
        name = self._words.name("a list")
        self._words.open(f"list {name}")
        columns: tuple[ColumnType, ...] = ()
        part: Part | None = None
        while (word := self._words.take(f"list {name}")) != "}":
            declared = self._words.count(f"{word} of list {name}")
            if word.upper() == "COLUMNS":
                columns = self._columns(name, declared, line)
            elif word.upper() == "DATA" and name.upper() == "DEFECTLIST" and part is None:
                part = self._defects(columns, declared, line)
            elif word.upper() == "DATA" and part is None:
                part = Listing(name, columns, self._body(f"list {name}"), line)
                self._compare(f"list {name}", "rows", declared, len(nested_rows(part.text)), line)
            else:
                raise self._words.unexpected(f"something unknown in list {name}", "Columns, Data or '}'", word)
        if part is None and name.upper() == "DEFECTLIST":
            part = self._without_data(columns, line)
        return part or Listing(name, columns, "", line)

    def _columns(self, name: str, declared: str, line: int) -> tuple[ColumnType, ...]:
        words = nested_words(self._body(f"the columns of {name}"))
        self._compare(f"the columns of {name}", "columns", declared, len(words) / 2, line)
        if len(words) > 2 * self._source.limits.columns:
            raise self._source.too_many("columns", self._source.limits.columns)
        names = [capitals(label) for label in words[1::2]]
        new = numbered(names)
        if new != names:
            self._source.problems.wrong("double-column", f"list {name} names a column twice", line=line)
        return tuple(map(ColumnType, new, words[::2]))

    def _defects(self, layout: tuple[ColumnType, ...], declared: str, line: int) -> DefectRows:
        self._check_layout(layout, line)
        table = TableBuilder(layout, self._source.problems, self._budget)
        read_nested_rows(self._source, table)
        self._compare("the defect list", "rows", declared, table.rows, line)
        return self._close(table, line)

    def _without_data(self, layout: tuple[ColumnType, ...], line: int) -> DefectRows:
        self._check_layout(layout, line)
        return self._close(TableBuilder(layout, self._source.problems, self._budget), line)

    def _close(self, table: TableBuilder, line: int) -> DefectRows:
        self._tables.append(table.finish())
        return DefectRows(len(self._tables) - 1, 0, table.rows, line)

    def _check_layout(self, layout: tuple[ColumnType, ...], line: int) -> None:
        images = sum(map(is_image_column, layout))
        if images > 1 or images == len(layout):
            raise InputError(
                "defects without columns" if images == len(layout) else "two image columns in a defect list",
                where=self._source.problems.place(line),
                expected="Columns n {type NAME, …} before Data, with one image column at most",
                code="no-columns",
            )

    def _body(self, what: str) -> str:
        """The text up to the closing brace, which is used up; braces may be nested."""
        source = self._source
        pieces: list[str] = []
        size, depth = 0, 1
        while depth:
            pieces.append(read_body(source, b"{}", what))
            pieces.append(source.data[source.position : source.position + 1].decode())
            depth += 1 if pieces[-1] == "{" else -1
            source.advance(source.position + 1)
            size += len(pieces[-2]) + 1
            if size > source.limits.part_bytes:
                raise source.too_long(what, source.limits.part_bytes)
        return "".join(pieces[:-1]).strip(BLANKS)

    def _compare(self, what: str, unit: str, declared: str, got: float, line: int) -> None:
        if whole(declared) != got:
            self._source.problems.wrong(
                "declared-count",
                f"{what} has another number of {unit} than it says",
                line=line,
                expected=declared or "a number",
                got=f"{got:g}",
                remedy="lenient mode trusts the braces",
            )
