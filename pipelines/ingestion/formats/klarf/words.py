"""Words of a KLARF text: cutting a part's text into values, and writing values so that they can be cut again.

A quoted value has no escape, so it can hold neither a quote nor a line end; one that is not closed ends with its line.
Only ASCII blanks part words: files are read as Latin-1, where Python's idea of white space is wider.
"""

import re

BLANKS = " \t\n\r\v\f"

FLAT_WORD = re.compile(rf'"([^"\n]*+)"?+|([^{BLANKS};"]++)|(;)')
NESTED_WORD = re.compile(rf'"([^"\n]*+)"?+|([^{BLANKS};,"{{}}]++)|([;,{{}}])')
"""Quoted | bare | punctuation. No quantifier inside another: linear on any input."""

NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")
"""A decimal number in ASCII."""

_LINE_ENDS = re.compile(r"\r++\n")
_UNWRITABLE = re.compile(r'[\x00-\x08\n\x0e-\x1f"]')


def flat_words(text: str) -> tuple[str, ...]:
    """Values of a statement's text, quotes taken off."""
    return tuple(quoted or bare or mark for quoted, bare, mark in FLAT_WORD.findall(text))


def nested_words(text: str) -> tuple[str, ...]:
    """Values of a field's text, which commas part, quotes taken off."""
    return tuple(quoted or bare or mark for quoted, bare, mark in NESTED_WORD.findall(text) if mark != ",")


def nested_rows(text: str) -> tuple[tuple[str, ...], ...]:
    """Rows of cells: blanks part cells, a semicolon ends a row; the last row may lack it."""
    rows: list[tuple[str, ...]] = []
    row: list[str] = []
    for quoted, bare, mark in NESTED_WORD.findall(text):
        if mark == ";":
            rows.append(tuple(row))
            row = []
        else:
            row.append(quoted or bare or mark)
    if row:
        rows.append(tuple(row))
    return tuple(rows)


def tidy(text: str) -> str:
    """The text of a part as it is kept: stripped, line ends as bare line feeds, nothing that Latin-1 lacks."""
    return _LINE_ENDS.sub("\n", text.encode("latin-1", "replace").decode("latin-1")).strip(BLANKS)


def quote(value: str) -> str:
    """The value in quotes, as a file can hold it (see `tame`)."""
    return f'"{tame(value)}"'


def tame(value: str) -> str:
    """The value as a file can hold it in quotes.

    Quotes become apostrophes, line feeds and control characters blanks, for there is no escape; what Latin-1 lacks
    becomes '?'. A value that was read stays as it is.
    """
    safe = _UNWRITABLE.sub(lambda match: "'" if match.group() == '"' else " ", value)
    return safe.encode("latin-1", "replace").decode("latin-1")


def capitals(word: str) -> str:
    """The word in capitals; only ASCII letters change, for others could leave Latin-1."""
    return word.encode("latin-1", "replace").upper().decode("latin-1")


def nested_word(word: str) -> str:
    """The word as one word of the nested dialect, in quotes if it needs them."""
    found = NESTED_WORD.fullmatch(word)
    return word if found is not None and found.group(2) else quote(word)


def whole(word: str) -> int | None:
    """The word as a whole number (`12`, `-1`, `3.0`); None if it is none."""
    value = number(word)
    return int(value) if value is not None and abs(value) < 1 << 53 and value == int(value) else None


def number(word: str) -> float | None:
    """The word as a finite number; None if it is none."""
    if not NUMBER.fullmatch(word):
        return None
    value = float(word)
    return value if abs(value) < float("inf") else None
