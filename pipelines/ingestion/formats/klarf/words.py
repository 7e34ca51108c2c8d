"""Words of a KLARF text: cutting a part's text into values, and writing values so that they can be cut again.

A quoted value has no escape, so it can hold neither a quote nor a line end; one that is not closed ends with its line.
Only ASCII blanks part words: files are read as Latin-1, where Python's idea of white space is wider.
"""

import re

BLANKS = " \t\n\r\v\f"

_FLAT = re.compile(rf'"([^"\n]*)"?|([^{BLANKS};"]+)|(;)')
_NESTED = re.compile(rf'"([^"\n]*)"?|([^{BLANKS};,"{{}}]+)|([;,{{}}])')
"""Quoted | bare | punctuation. No quantifier inside another: linear on any input."""

_UNWRITABLE = re.compile(r'[\x00-\x1f"\x7f]')


def flat_words(text: str) -> tuple[str, ...]:
    """Values of a statement's text, quotes taken off."""
    return tuple(quoted or bare or mark for quoted, bare, mark in _FLAT.findall(text))


def nested_words(text: str) -> tuple[str, ...]:
    """Values of a field's text, which commas part, quotes taken off."""
    return tuple(quoted or bare or mark for quoted, bare, mark in _NESTED.findall(text) if mark != ",")


def nested_rows(text: str) -> tuple[tuple[str, ...], ...]:
    """Rows of cells: blanks part cells, a semicolon ends a row; the last row may lack it."""
    rows: list[tuple[str, ...]] = []
    row: list[str] = []
    for quoted, bare, mark in _NESTED.findall(text):
        if mark == ";":
            rows.append(tuple(row))
            row = []
        else:
            row.append(quoted or bare or mark)
    if row:
        rows.append(tuple(row))
    return tuple(rows)


def quote(value: str) -> str:
    """The value in quotes, as a file can hold it.

    Quotes become apostrophes and control characters blanks, for there is no escape; what Latin-1 lacks becomes '?'.
    """
    tame = _UNWRITABLE.sub(lambda match: "'" if match.group() == '"' else " ", value)
    return '"' + tame.encode("latin-1", "replace").decode("latin-1") + '"'
