"""What a KLARF file says, in its own order: statements (1.0-1.3) or records, fields and lists (1.8).

The parts keep their text as written, so that what we do not understand survives a round trip, and cut it into values
only when asked. Defect rows are not here: a part names the rows it stands for in one of the file's tables.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from pipelines.ingestion.formats.klarf.words import flat_words, nested_rows, nested_words, tame, tidy


@dataclass(frozen=True, slots=True)
class Statement:
    """`KEYWORD values ;` of the flat dialect.

    Attributes:
        keyword: as written; compare with `is_a`.
        text: everything up to the semicolon, stripped, line ends as a bare line feed.
        line: where it starts, from 1; 0 = not read from a file.
    """

    keyword: str
    text: str = ""
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        """Keep the text in one form."""
        object.__setattr__(self, "text", tidy(self.text))

    @property
    def values(self) -> tuple[str, ...]:
        """The values, quotes taken off."""
        return flat_words(self.text)

    def is_a(self, keyword: str) -> bool:
        """True if this is that statement; tools disagree about upper and lower case."""
        return self.keyword.upper() == keyword.upper()


@dataclass(frozen=True, slots=True)
class DefectRows:
    """Rows [start, stop) of table `table` stand here: a `DefectList` of either dialect."""

    table: int
    start: int
    stop: int
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """`Field NAME n { values }` of the nested dialect; `text` is what stands between the braces."""

    name: str
    text: str = ""
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        """Keep the text in one form."""
        object.__setattr__(self, "text", tidy(self.text))

    @property
    def values(self) -> tuple[str, ...]:
        """The values, quotes taken off."""
        return nested_words(self.text)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """One column of a list: its name in capitals, and the type the file declares ('' in the flat dialect)."""

    name: str
    type: str = ""

    def __post_init__(self) -> None:
        """Keep what a file can hold: both may have stood in quotes."""
        object.__setattr__(self, "name", tame(self.name))
        object.__setattr__(self, "type", tame(self.type))


@dataclass(frozen=True, slots=True)
class Listing:
    """`List NAME { Columns … Data … }` of the nested dialect, except defects; `text` is the body of Data."""

    name: str
    columns: tuple[ColumnType, ...]
    text: str = ""
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        """Keep the text in one form."""
        object.__setattr__(self, "text", tidy(self.text))

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Cells per row, quotes taken off."""
        return nested_rows(self.text)


@dataclass(frozen=True, slots=True)
class Record:
    """`Record NAME "label" { … }` of the nested dialect; label None = none was given."""

    name: str
    label: str | None
    parts: "tuple[Part, ...]"
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        """Empty labels are none: some readers refuse `""`."""
        object.__setattr__(self, "label", tame(self.label or "") or None)


Part: TypeAlias = Statement | DefectRows | Field | Listing | Record
