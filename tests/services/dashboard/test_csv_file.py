"""CSV: a spreadsheet must not run what a file calls itself."""

import csv
import io

import pytest

from services.dashboard.csv_file import csv_answer, safe_cell


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =cmd|'/c calc'!A1"])
def test_formulas_become_text(evil: str) -> None:
    assert safe_cell(evil) == f"'{evil}"


@pytest.mark.parametrize(("value", "text"), [("Ring", "Ring"), (None, ""), (-3, "-3"), (0.5, "0.5"), ("a=b", "a=b")])
def test_everything_else_stays(value: object, text: str) -> None:
    assert safe_cell(value) == text


def test_line_breaks_and_quotes_survive() -> None:
    body = bytes(csv_answer("x.csv", ["a", "b"], [('say "no"', "two\nlines")]).body).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(body, newline=""))) == [["a", "b"], ['say "no"', "two\nlines"]]
